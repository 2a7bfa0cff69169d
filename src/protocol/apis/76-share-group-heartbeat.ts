import { api, array, int16, int32, string, struct, uuid } from '../schema.ts';

export const shareGroupHeartbeat = api(
  { key: 76, name: 'ShareGroupHeartbeat', versions: '1', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    rackId: string('nullable default=null'),
    subscribedTopicNames: array('nullable default=null', string),
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
