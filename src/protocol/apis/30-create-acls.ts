import { api, array, int16, int32, int8, string } from '../schema.ts';

export const createAcls = api(
  { key: 30, name: 'CreateAcls', versions: '0-3', flexible: '2+' },
  {
    creations: array({
      resourceType: int8(),
      resourceName: string(),
      resourcePatternType: int8('1+ default=3'),
      principal: string(),
      host: string(),
      operation: int8(),
      permissionType: int8(),
    }),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      errorCode: int16(),
      errorMessage: string('nullable'),
    }),
  },
);
