import { api, array, bool, int16, int32, string, uuid } from '../schema.ts';

export const metadata = api(
  { key: 3, name: 'Metadata', versions: '0-13', flexible: '9+' },
  {
    topics: array('nullable=1+', {
      topicId: uuid('10+ ignorable'),
      name: string('nullable=10+'),
    }),
    allowAutoTopicCreation: bool('4+ default=true'),
    includeClusterAuthorizedOperations: bool('8-10'),
    includeTopicAuthorizedOperations: bool('8+'),
  },
  {
    throttleTimeMs: int32('3+ ignorable'),
    brokers: array({
      nodeId: int32('mapkey'),
      host: string(),
      port: int32(),
      rack: string('1+ nullable default=null ignorable'),
    }),
    clusterId: string('2+ nullable default=null ignorable'),
    controllerId: int32('1+ default=-1 ignorable'),
    topics: array({
      errorCode: int16(),
      name: string('nullable=12+ mapkey'),
      topicId: uuid('10+ ignorable'),
      isInternal: bool('1+ ignorable'),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32('7+ default=-1 ignorable'),
        replicaNodes: array(int32),
        isrNodes: array(int32),
        offlineReplicas: array('5+ ignorable', int32),
      }),
      topicAuthorizedOperations: int32('8+ default=-2147483648'),
    }),
    clusterAuthorizedOperations: int32('8-10 default=-2147483648'),
    errorCode: int16('13+ ignorable'),
  },
);
