import { api, array, int16, int32, int8, string } from '../schema.ts';

export const deleteAcls = api(
  { key: 31, name: 'DeleteAcls', versions: '0-3', flexible: '2+' },
  {
    filters: array({
      resourceTypeFilter: int8(),
      resourceNameFilter: string('nullable'),
      patternTypeFilter: int8('1+ default=3'),
      principalFilter: string('nullable'),
      hostFilter: string('nullable'),
      operation: int8(),
      permissionType: int8(),
    }),
  },
  {
    throttleTimeMs: int32(),
    filterResults: array({
      errorCode: int16(),
      errorMessage: string('nullable'),
      matchingAcls: array({
        errorCode: int16(),
        errorMessage: string('nullable'),
        resourceType: int8(),
        resourceName: string(),
        patternType: int8('1+ default=3'),
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
);
