import { api, array, int16, int32, int64, int8, string } from '../schema.ts';

export const listOffsets = api(
  { key: 2, name: 'ListOffsets', versions: '0-11', flexible: '6+' },
  {
    replicaId: int32(),
    isolationLevel: int8('2+'),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        currentLeaderEpoch: int32('4+ default=-1 ignorable'),
        timestamp: int64(),
        maxNumOffsets: int32('0 default=1'),
      }),
    }),
    timeoutMs: int32('10+ ignorable'),
  },
  {
    throttleTimeMs: int32('2+ ignorable'),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        oldStyleOffsets: array('0', int64),
        timestamp: int64('1+ default=-1'),
        offset: int64('1+ default=-1'),
        leaderEpoch: int32('4+ default=-1'),
      }),
    }),
  },
);
