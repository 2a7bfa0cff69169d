import { api, array, bool, int16, int32, int8, string, uuid } from '../schema.ts';

export const createTopics = api(
  { key: 19, name: 'CreateTopics', versions: '0-7', flexible: '5+' },
  {
    topics: array({
      name: string('mapkey'),
      numPartitions: int32(),
      replicationFactor: int16(),
      assignments: array({
        partitionIndex: int32('mapkey'),
        brokerIds: array(int32),
      }),
      configs: array({
        name: string('mapkey'),
        value: string('nullable'),
      }),
    }),
    timeoutMs: int32('default=60000'),
    validateOnly: bool('1+'),
  },
  {
    throttleTimeMs: int32('2+ ignorable'),
    topics: array({
      name: string('mapkey'),
      topicId: uuid('7+ ignorable'),
      errorCode: int16(),
      errorMessage: string('1+ nullable ignorable'),
      topicConfigErrorCode: int16('5+ tag=0 ignorable'),
      numPartitions: int32('5+ default=-1 ignorable'),
      replicationFactor: int16('5+ default=-1 ignorable'),
      configs: array('5+ nullable ignorable', {
        name: string(),
        value: string('nullable'),
        readOnly: bool(),
        configSource: int8('default=-1 ignorable'),
        isSensitive: bool(),
      }),
    }),
  },
);
