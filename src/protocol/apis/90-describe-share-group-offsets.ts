import { api, array, int16, int32, int64, string, uuid } from '../schema.ts';

export const describeShareGroupOffsets = api(
  { key: 90, name: 'DescribeShareGroupOffsets', versions: '0-1', flexible: '0+' },
  {
    groups: array({
      groupId: string(),
      topics: array('nullable', {
        topicName: string(),
        partitions: array(int32),
      }),
    }),
  },
  {
    throttleTimeMs: int32(),
    groups: array({
      groupId: string(),
      topics: array({
        topicName: string(),
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          startOffset: int64(),
          leaderEpoch: int32(),
          lag: int64('1+ default=-1 ignorable'),
          errorCode: int16(),
          errorMessage: string('nullable default=null'),
        }),
      }),
      errorCode: int16(),
      errorMessage: string('nullable default=null'),
    }),
  },
);
