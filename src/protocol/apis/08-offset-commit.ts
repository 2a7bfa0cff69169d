import { api, array, int16, int32, int64, string, uuid } from '../schema.ts';

export const offsetCommit = api(
  { key: 8, name: 'OffsetCommit', versions: '0-10', flexible: '8+' },
  {
    groupId: string(),
    generationIdOrMemberEpoch: int32('1+ default=-1 ignorable'),
    memberId: string('1+ ignorable'),
    groupInstanceId: string('7+ nullable default=null'),
    retentionTimeMs: int64('2-4 default=-1 ignorable'),
    topics: array({
      name: string('0-9 ignorable'),
      topicId: uuid('10+ ignorable'),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32('6+ default=-1 ignorable'),
        commitTimestamp: int64('1 default=-1'),
        committedMetadata: string('nullable'),
      }),
    }),
  },
  {
    throttleTimeMs: int32('3+ ignorable'),
    topics: array({
      name: string('0-9 ignorable'),
      topicId: uuid('10+ ignorable'),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
);
