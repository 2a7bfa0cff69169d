import { api, array, int16, int32, string } from '../schema.ts';

export const offsetDelete = api(
  { key: 47, name: 'OffsetDelete', versions: '0' },
  {
    groupId: string(),
    topics: array({
      name: string('mapkey'),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
  {
    errorCode: int16(),
    throttleTimeMs: int32('ignorable'),
    topics: array({
      name: string('mapkey'),
      partitions: array({
        partitionIndex: int32('mapkey'),
        errorCode: int16(),
      }),
    }),
  },
);
