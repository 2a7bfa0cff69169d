import { api, array, bool, int16, int32, int8, string, struct, uuid } from '../schema.ts';

export const consumerGroupDescribe = api(
  { key: 69, name: 'ConsumerGroupDescribe', versions: '0-1', flexible: '0+' },
  {
    groupIds: array(string),
    includeAuthorizedOperations: bool(),
  },
  {
    throttleTimeMs: int32(),
    groups: array({
      errorCode: int16(),
      errorMessage: string('nullable default=null'),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      assignorName: string(),
      members: array({
        memberId: string(),
        instanceId: string('nullable default=null'),
        rackId: string('nullable default=null'),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: array(string),
        subscribedTopicRegex: string('nullable default=null'),
        assignment: struct({
          topicPartitions: array({
            topicId: uuid(),
            topicName: string(),
            partitions: array(int32),
          }),
        }),
        targetAssignment: struct({
          topicPartitions: array({
            topicId: uuid(),
            topicName: string(),
            partitions: array(int32),
          }),
        }),
        memberType: int8('1+ default=-1 ignorable'),
      }),
      authorizedOperations: int32('default=-2147483648'),
    }),
  },
);
