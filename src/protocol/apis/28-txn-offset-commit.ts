import { api, array, int16, int32, int64, string } from '../schema.ts';

export const txnOffsetCommit = api(
  { key: 28, name: 'TxnOffsetCommit', versions: '0-5', flexible: '3+' },
  {
    transactionalId: string(),
    groupId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    generationId: int32('3+ default=-1'),
    memberId: string('3+'),
    groupInstanceId: string('3+ nullable default=null'),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32('2+ default=-1 ignorable'),
        committedMetadata: string('nullable'),
      }),
    }),
  },
  {
    throttleTimeMs: int32(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
);
