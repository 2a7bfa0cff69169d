import { api, array, int16, int32, int8, string } from '../schema.ts';

export const listConfigResources = api(
  { key: 74, name: 'ListConfigResources', versions: '0-1', flexible: '0+' },
  {
    resourceTypes: array('1+', int8),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    configResources: array({
      resourceName: string(),
      resourceType: int8('1+ default=16 ignorable'),
    }),
  },
);
