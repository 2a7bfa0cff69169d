import { api, array, int16, int32, int64, string } from '../schema.ts';

export const offsetForLeaderEpoch = api(
  { key: 23, name: 'OffsetForLeaderEpoch', versions: '0-4', flexible: '4+' },
  {
    replicaId: int32('3+ default=-2 ignorable'),
    topics: array({
      topic: string('mapkey'),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32('2+ default=-1 ignorable'),
        leaderEpoch: int32(),
      }),
    }),
  },
  {
    throttleTimeMs: int32('2+ ignorable'),
    topics: array({
      topic: string('mapkey'),
      partitions: array({
        errorCode: int16(),
        partition: int32(),
        leaderEpoch: int32('1+ default=-1 ignorable'),
        endOffset: int64('default=-1'),
      }),
    }),
  },
);
