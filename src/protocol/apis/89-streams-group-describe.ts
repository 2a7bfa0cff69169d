import { api, array, bool, int16, int32, int64, string, struct, uint16 } from '../schema.ts';

export const streamsGroupDescribe = api(
  { key: 89, name: 'StreamsGroupDescribe', versions: '0', flexible: '0+' },
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
      topology: struct('nullable default=null', {
        epoch: int32(),
        subtopologies: array('nullable default=null', {
          subtopologyId: string(),
          sourceTopics: array(string),
          repartitionSinkTopics: array(string),
          stateChangelogTopics: array({
            name: string(),
            partitions: int32(),
            replicationFactor: int16(),
            topicConfigs: array({
              key: string(),
              value: string(),
            }),
          }),
          repartitionSourceTopics: array({
            name: string(),
            partitions: int32(),
            replicationFactor: int16(),
            topicConfigs: array({
              key: string(),
              value: string(),
            }),
          }),
        }),
      }),
      members: array({
        memberId: string(),
        memberEpoch: int32(),
        instanceId: string('nullable default=null'),
        rackId: string('nullable default=null'),
        clientId: string(),
        clientHost: string(),
        topologyEpoch: int32(),
        processId: string(),
        userEndpoint: struct('nullable default=null', {
          host: string(),
          port: uint16(),
        }),
        clientTags: array({
          key: string(),
          value: string(),
        }),
        taskOffsets: array({
          subtopologyId: string(),
          partition: int32(),
          offset: int64(),
        }),
        taskEndOffsets: array({
          subtopologyId: string(),
          partition: int32(),
          offset: int64(),
        }),
        assignment: struct({
          activeTasks: array({
            subtopologyId: string(),
            partitions: array(int32),
          }),
          standbyTasks: array({
            subtopologyId: string(),
            partitions: array(int32),
          }),
          warmupTasks: array({
            subtopologyId: string(),
            partitions: array(int32),
          }),
        }),
        targetAssignment: struct({
          activeTasks: array({
            subtopologyId: string(),
            partitions: array(int32),
          }),
          standbyTasks: array({
            subtopologyId: string(),
            partitions: array(int32),
          }),
          warmupTasks: array({
            subtopologyId: string(),
            partitions: array(int32),
          }),
        }),
        isClassic: bool(),
      }),
      authorizedOperations: int32('default=-2147483648'),
    }),
  },
);
