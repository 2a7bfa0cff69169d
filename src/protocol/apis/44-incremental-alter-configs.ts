import { api, array, bool, int16, int32, int8, string } from '../schema.ts';

export const incrementalAlterConfigs = api(
  { key: 44, name: 'IncrementalAlterConfigs', versions: '0-1', flexible: '1+' },
  {
    resources: array({
      resourceType: int8('mapkey'),
      resourceName: string('mapkey'),
      configs: array({
        name: string('mapkey'),
        configOperation: int8('mapkey'),
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
