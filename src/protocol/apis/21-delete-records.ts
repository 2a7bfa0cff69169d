import { api, array, int16, int32, int64, string } from '../schema.ts';

export const deleteRecords = api(
  { key: 21, name: 'DeleteRecords', versions: '0-2', flexible: '2+' },
  {
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        offset: int64(),
      }),
    }),
    timeoutMs: int32(),
  },
  {
    throttleTimeMs: int32(),
    topics: array({
      name: string('mapkey'),
      partitions: array({
        partitionIndex: int32('mapkey'),
        lowWatermark: int64(),
        errorCode: int16(),
      }),
    }),
  },
);
