import { api, array, int16, int32, int64, string, uint16, uuid } from '../schema.ts';

export const describeQuorum = api(
  { key: 55, name: 'DescribeQuorum', versions: '0-2', flexible: '0+' },
  {
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
  {
    errorCode: int16(),
    errorMessage: string('2+ nullable ignorable'),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string('2+ nullable ignorable'),
        leaderId: int32(),
        leaderEpoch: int32(),
        highWatermark: int64(),
        currentVoters: array({
          replicaId: int32(),
          replicaDirectoryId: uuid('2+'),
          logEndOffset: int64(),
          lastFetchTimestamp: int64('1+ default=-1 ignorable'),
          lastCaughtUpTimestamp: int64('1+ default=-1 ignorable'),
        }),
        observers: array({
          replicaId: int32(),
          replicaDirectoryId: uuid('2+'),
          logEndOffset: int64(),
          lastFetchTimestamp: int64('1+ default=-1 ignorable'),
          lastCaughtUpTimestamp: int64('1+ default=-1 ignorable'),
        }),
      }),
    }),
    nodes: array('2+', {
      nodeId: int32('mapkey'),
      listeners: array({
        name: string('mapkey'),
        host: string(),
        port: uint16(),
      }),
    }),
  },
);
