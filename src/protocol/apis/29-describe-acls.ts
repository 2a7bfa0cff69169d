import { api, array, int16, int32, int8, string } from '../schema.ts';

export const describeAcls = api(
  { key: 29, name: 'DescribeAcls', versions: '0-3', flexible: '2+' },
  {
    resourceTypeFilter: int8(),
    resourceNameFilter: string('nullable'),
    patternTypeFilter: int8('1+ default=3'),
    principalFilter: string('nullable'),
    hostFilter: string('nullable'),
    operation: int8(),
    permissionType: int8(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable'),
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      patternType: int8('1+ default=3'),
      acls: array({
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
);
