import { api, array, bool, int16, int32, int64, int8, records, string, struct, uuid } from '../schema.ts';

export const shareFetch = api(
  { key: 78, name: 'ShareFetch', versions: '1-2', flexible: '0+' },
  {
    groupId: string('nullable default=null'),
    memberId: string('nullable'),
    shareSessionEpoch: int32(),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32('default=2147483647'),
    maxRecords: int32(),
    batchSize: int32(),
    shareAcquireMode: int8('2+'),
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
    forgottenTopicsData: array({
      topicId: uuid(),
      partitions: array(int32),
    }),
  },
  {
    throttleTimeMs: int32('ignorable'),
    errorCode: int16('ignorable'),
    errorMessage: string('nullable default=null'),
    acquisitionLockTimeoutMs: int32(),
    responses: array({
      topicId: uuid('mapkey'),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string('nullable default=null'),
        acknowledgeErrorCode: int16(),
        acknowledgeErrorMessage: string('nullable default=null'),
        currentLeader: struct({
          leaderId: int32(),
          leaderEpoch: int32(),
        }),
        records: records('nullable'),
        acquiredRecords: array({
          firstOffset: int64(),
          lastOffset: int64(),
          deliveryCount: int16(),
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
