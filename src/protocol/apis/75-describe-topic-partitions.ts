import { api, array, bool, int16, int32, string, struct, uuid } from '../schema.ts';

export const describeTopicPartitions = api(
  { key: 75, name: 'DescribeTopicPartitions', versions: '0', flexible: '0+' },
  {
    topics: array({
      name: string(),
    }),
    responsePartitionLimit: int32('default=2000'),
    cursor: struct('nullable default=null', {
      topicName: string(),
      partitionIndex: int32(),
    }),
  },
  {
    throttleTimeMs: int32('ignorable'),
    topics: array({
      errorCode: int16(),
      name: string('nullable mapkey'),
      topicId: uuid('ignorable'),
      isInternal: bool('ignorable'),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32('default=-1 ignorable'),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        eligibleLeaderReplicas: array('nullable default=null', int32),
        lastKnownElr: array('nullable default=null', int32),
        offlineReplicas: array('ignorable', int32),
      }),
      topicAuthorizedOperations: int32('default=-2147483648'),
    }),
    nextCursor: struct('nullable default=null', {
      topicName: string(),
      partitionIndex: int32(),
    }),
  },
);
