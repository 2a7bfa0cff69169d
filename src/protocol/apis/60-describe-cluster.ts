import { api, array, bool, int16, int32, int8, string } from '../schema.ts';

export const describeCluster = api(
  { key: 60, name: 'DescribeCluster', versions: '0-2', flexible: '0+' },
  {
    includeClusterAuthorizedOperations: bool(),
    endpointType: int8('1+ default=1'),
    includeFencedBrokers: bool('2+'),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable default=null'),
    endpointType: int8('1+ default=1'),
    clusterId: string(),
    controllerId: int32('default=-1'),
    brokers: array({
      brokerId: int32('mapkey'),
      host: string(),
      port: int32(),
      rack: string('nullable default=null'),
      isFenced: bool('2+'),
    }),
    clusterAuthorizedOperations: int32('default=-2147483648'),
  },
);
