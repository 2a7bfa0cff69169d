import { api, array, bool, int16, int32, int64, string, uuid } from '../schema.ts';

export const offsetFetch = api(
  { key: 9, name: 'OffsetFetch', versions: '0-10', flexible: '6+' },
  {
    groupId: string('0-7'),
    topics: array('0-7 nullable=2-7', {
      name: string(),
      partitionIndexes: array(int32),
    }),
    groups: array('8+', {
      groupId: string(),
      memberId: string('9+ nullable default=null ignorable'),
      memberEpoch: int32('9+ default=-1 ignorable'),
      topics: array('nullable', {
        name: string('8-9 ignorable'),
        topicId: uuid('10+ ignorable'),
        partitionIndexes: array(int32),
      }),
    }),
    requireStable: bool('7+'),
  },
  {
    throttleTimeMs: int32('3+ ignorable'),
    topics: array('0-7', {
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32('5-7 default=-1 ignorable'),
        metadata: string('nullable'),
        errorCode: int16(),
      }),
    }),
    errorCode: int16('2-7 ignorable'),
    groups: array('8+', {
      groupId: string(),
      topics: array({
        name: string('8-9 ignorable'),
        topicId: uuid('10+ ignorable'),
        partitions: array({
          partitionIndex: int32(),
          committedOffset: int64(),
          committedLeaderEpoch: int32('default=-1 ignorable'),
          metadata: string('nullable'),
          errorCode: int16(),
        }),
      }),
      errorCode: int16(),
    }),
  },
);
