import { api, array, int16, int32, string } from '../schema.ts';

export const listPartitionReassignments = api(
  { key: 46, name: 'ListPartitionReassignments', versions: '0', flexible: '0+' },
  {
    timeoutMs: int32('default=60000'),
    topics: array('nullable default=null', {
      name: string(),
      partitionIndexes: array(int32),
    }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable'),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        replicas: array(int32),
        addingReplicas: array(int32),
        removingReplicas: array(int32),
      }),
    }),
  },
);
