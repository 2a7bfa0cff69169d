import { api, array, int16, int32, int64, int8, records, string, struct, uuid } from '../schema.ts';

export const fetch = api(
  { key: 1, name: 'Fetch', versions: '0-18', flexible: '12+' },
  {
    clusterId: string('12+ nullable tag=0 default=null ignorable'),
    replicaId: int32('0-14 default=-1'),
    replicaState: struct('15+ tag=1', {
      replicaId: int32('default=-1'),
      replicaEpoch: int64('default=-1'),
    }),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32('3+ default=2147483647 ignorable'),
    isolationLevel: int8('4+ ignorable'),
    sessionId: int32('7+ ignorable'),
    sessionEpoch: int32('7+ default=-1 ignorable'),
    topics: array({
      topic: string('0-12 ignorable'),
      topicId: uuid('13+ ignorable'),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32('9+ default=-1 ignorable'),
        fetchOffset: int64(),
        lastFetchedEpoch: int32('12+ default=-1'),
        logStartOffset: int64('5+ default=-1 ignorable'),
        partitionMaxBytes: int32(),
        replicaDirectoryId: uuid('17+ tag=0 ignorable'),
        highWatermark: int64('18+ tag=1 default=9223372036854775807 ignorable'),
      }),
    }),
    forgottenTopicsData: array('7+', {
      topic: string('7-12 ignorable'),
      topicId: uuid('13+ ignorable'),
      partitions: array(int32),
    }),
    rackId: string('11+ ignorable'),
  },
  {
    throttleTimeMs: int32('1+ ignorable'),
    errorCode: int16('7+ ignorable'),
    sessionId: int32('7+'),
    responses: array({
      topic: string('0-12 ignorable'),
      topicId: uuid('13+ ignorable'),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        highWatermark: int64(),
        lastStableOffset: int64('4+ default=-1 ignorable'),
        logStartOffset: int64('5+ default=-1 ignorable'),
        divergingEpoch: struct('12+ tag=0', {
          epoch: int32('default=-1'),
          endOffset: int64('default=-1'),
        }),
        currentLeader: struct('12+ tag=1', {
          leaderId: int32('default=-1'),
          leaderEpoch: int32('default=-1'),
        }),
        snapshotId: struct('12+ tag=2', {
          endOffset: int64('default=-1'),
          epoch: int32('default=-1'),
        }),
        abortedTransactions: array('4+ nullable ignorable', {
          producerId: int64(),
          firstOffset: int64(),
        }),
        preferredReadReplica: int32('11+ default=-1'),
        records: records('nullable'),
      }),
    }),
    nodeEndpoints: array('16+ tag=0', {
      nodeId: int32('mapkey'),
      host: string(),
      port: int32(),
      rack: string('nullable default=null'),
    }),
  },
);
