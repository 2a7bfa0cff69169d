import { api, array, bool, int16, int32, string } from '../schema.ts';

export const alterPartitionReassignments = api(
  { key: 45, name: 'AlterPartitionReassignments', versions: '0-1', flexible: '0+' },
  {
    timeoutMs: int32('default=60000'),
    allowReplicationFactorChange: bool('1+ default=true'),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        replicas: array('nullable default=null', int32),
      }),
    }),
  },
  {
    throttleTimeMs: int32(),
    allowReplicationFactorChange: bool('1+ default=true ignorable'),
    errorCode: int16(),
    errorMessage: string('nullable'),
    responses: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string('nullable'),
      }),
    }),
  },
);
