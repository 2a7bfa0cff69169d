import { api, array, bool, int16, int32, int64, int8, string, struct, uint16 } from '../schema.ts';

export const streamsGroupHeartbeat = api(
  { key: 88, name: 'StreamsGroupHeartbeat', versions: '0', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    endpointInformationEpoch: int32(),
    instanceId: string('nullable default=null'),
    rackId: string('nullable default=null'),
    rebalanceTimeoutMs: int32('default=-1'),
    topology: struct('nullable default=null', {
      epoch: int32(),
      subtopologies: array({
        subtopologyId: string(),
        sourceTopics: array(string),
        sourceTopicRegex: array(string),
        stateChangelogTopics: array({
          name: string(),
          partitions: int32(),
          replicationFactor: int16(),
          topicConfigs: array({
            key: string(),
            value: string(),
          }),
        }),
        repartitionSinkTopics: array(string),
        repartitionSourceTopics: array({
          name: string(),
          partitions: int32(),
          replicationFactor: int16(),
          topicConfigs: array({
            key: string(),
            value: string(),
          }),
        }),
        copartitionGroups: array({
          sourceTopics: array(int16),
          sourceTopicRegex: array(int16),
          repartitionSourceTopics: array(int16),
        }),
      }),
    }),
    activeTasks: array('nullable default=null', {
      subtopologyId: string(),
      partitions: array(int32),
    }),
    standbyTasks: array('nullable default=null', {
      subtopologyId: string(),
      partitions: array(int32),
    }),
    warmupTasks: array('nullable default=null', {
      subtopologyId: string(),
      partitions: array(int32),
    }),
    processId: string('nullable default=null'),
    userEndpoint: struct('nullable default=null', {
      host: string(),
      port: uint16(),
    }),
    clientTags: array('nullable default=null', {
      key: string(),
      value: string(),
    }),
    taskOffsets: array('nullable default=null', {
      subtopologyId: string(),
      partition: int32(),
      offset: int64(),
    }),
    taskEndOffsets: array('nullable default=null', {
      subtopologyId: string(),
      partition: int32(),
      offset: int64(),
    }),
    shutdownApplication: bool(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable default=null'),
    memberId: string(),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    acceptableRecoveryLag: int32(),
    taskOffsetIntervalMs: int32(),
    status: array('nullable default=null', {
      statusCode: int8(),
      statusDetail: string(),
    }),
    activeTasks: array('nullable default=null', {
      subtopologyId: string(),
      partitions: array(int32),
    }),
    standbyTasks: array('nullable default=null', {
      subtopologyId: string(),
      partitions: array(int32),
    }),
    warmupTasks: array('nullable default=null', {
      subtopologyId: string(),
      partitions: array(int32),
    }),
    endpointInformationEpoch: int32(),
    partitionsByUserEndpoint: array('nullable default=null', {
      userEndpoint: struct({
        host: string(),
        port: uint16(),
      }),
      activePartitions: array({
        topic: string(),
        partitions: array(int32),
      }),
      standbyPartitions: array({
        topic: string(),
        partitions: array(int32),
      }),
    }),
  },
);
