import { api, array, bool, int16, int32, int64, int8, string } from '../schema.ts';

export const writeTxnMarkers = api(
  { key: 27, name: 'WriteTxnMarkers', versions: '0-2', flexible: '1+' },
  {
    markers: array({
      producerId: int64(),
      producerEpoch: int16(),
      transactionResult: bool(),
      topics: array({
        name: string(),
        partitionIndexes: array(int32),
      }),
      coordinatorEpoch: int32(),
      transactionVersion: int8('2+ ignorable'),
    }),
  },
  {
    markers: array({
      producerId: int64(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    }),
  },
);
