import { api, array, bool, int16, int32, int64, int8, string, struct, uuid } from '../schema.ts';

export const shareAcknowledge = api(
  { key: 79, name: 'ShareAcknowledge', versions: '1-2', flexible: '0+' },
  {
    groupId: string('nullable default=null'),
    memberId: string('nullable'),
    shareSessionEpoch: int32(),
    isRenewAck: bool('2+'),
    topics: array({
      topicId: uuid('mapkey'),
      partitions: array({
        partitionIndex: int32('mapkey'),
        acknowledgementBatches: array({
          firstOffset: int64(),
          lastOffset: int64(),
          acknowledgeTypes: array(int8),
        }),
      }),
    }),
  },
  {
    throttleTimeMs: int32('ignorable'),
    errorCode: int16('ignorable'),
    errorMessage: string('nullable default=null'),
    acquisitionLockTimeoutMs: int32('2+ ignorable'),
    responses: array({
      topicId: uuid('mapkey'),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string('nullable default=null'),
        currentLeader: struct({
          leaderId: int32(),
          leaderEpoch: int32(),
        }),
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32('mapkey'),
      host: string(),
      port: int32(),
      rack: string('nullable default=null'),
    }),
  },
);
