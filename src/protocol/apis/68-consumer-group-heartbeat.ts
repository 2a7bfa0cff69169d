import { api, array, int16, int32, string, struct, uuid } from '../schema.ts';

export const consumerGroupHeartbeat = api(
  { key: 68, name: 'ConsumerGroupHeartbeat', versions: '0-1', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    instanceId: string('nullable default=null'),
    rackId: string('nullable default=null'),
    rebalanceTimeoutMs: int32('default=-1'),
    subscribedTopicNames: array('nullable default=null', string),
    subscribedTopicRegex: string('1+ nullable default=null'),
    serverAssignor: string('nullable default=null'),
    topicPartitions: array('nullable default=null', {
      topicId: uuid(),
      partitions: array(int32),
    }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable default=null'),
    memberId: string('nullable default=null'),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    assignment: struct('nullable default=null', {
      topicPartitions: array({
        topicId: uuid(),
        partitions: array(int32),
      }),
    }),
  },
);
