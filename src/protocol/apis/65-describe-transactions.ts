import { api, array, int16, int32, int64, string } from '../schema.ts';

export const describeTransactions = api(
  { key: 65, name: 'DescribeTransactions', versions: '0', flexible: '0+' },
  {
    transactionalIds: array(string),
  },
  {
    throttleTimeMs: int32(),
    transactionStates: array({
      errorCode: int16(),
      transactionalId: string(),
      transactionState: string(),
      transactionTimeoutMs: int32(),
      transactionStartTimeMs: int64(),
      producerId: int64(),
      producerEpoch: int16(),
      topics: array({
        topic: string('mapkey'),
        partitions: array(int32),
      }),
    }),
  },
);
