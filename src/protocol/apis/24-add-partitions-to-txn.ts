import { api, array, bool, int16, int32, int64, string } from '../schema.ts';

export const addPartitionsToTxn = api(
  { key: 24, name: 'AddPartitionsToTxn', versions: '0-5', flexible: '3+' },
  {
    transactions: array('4+', {
      transactionalId: string('mapkey'),
      producerId: int64(),
      producerEpoch: int16(),
      verifyOnly: bool(),
      topics: array({
        name: string('mapkey'),
        partitions: array(int32),
      }),
    }),
    v3AndBelowTransactionalId: string('0-3'),
    v3AndBelowProducerId: int64('0-3'),
    v3AndBelowProducerEpoch: int16('0-3'),
    v3AndBelowTopics: array('0-3', {
      name: string('mapkey'),
      partitions: array(int32),
    }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16('4+ ignorable'),
    resultsByTransaction: array('4+', {
      transactionalId: string('mapkey'),
      topicResults: array({
        name: string('mapkey'),
        resultsByPartition: array({
          partitionIndex: int32('mapkey'),
          partitionErrorCode: int16(),
        }),
      }),
    }),
    resultsByTopicV3AndBelow: array('0-3', {
      name: string('mapkey'),
      resultsByPartition: array({
        partitionIndex: int32('mapkey'),
        partitionErrorCode: int16(),
      }),
    }),
  },
);
