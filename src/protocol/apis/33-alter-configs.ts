import { api, array, bool, int16, int32, int8, string } from '../schema.ts';

export const alterConfigs = api(
  { key: 33, name: 'AlterConfigs', versions: '0-2', flexible: '2+' },
  {
    resources: array({
      resourceType: int8('mapkey'),
      resourceName: string('mapkey'),
      configs: array({
        name: string('mapkey'),
        value: string('nullable'),
      }),
    }),
    validateOnly: bool(),
  },
  {
    throttleTimeMs: int32(),
    responses: array({
      errorCode: int16(),
      errorMessage: string('nullable'),
      resourceType: int8(),
      resourceName: string(),
    }),
  },
);
