import { api, array, bool, int16, int32, string } from '../schema.ts';

export const createPartitions = api(
  { key: 37, name: 'CreatePartitions', versions: '0-3', flexible: '2+' },
  {
    topics: array({
      name: string('mapkey'),
      count: int32(),
      assignments: array('nullable', {
        brokerIds: array(int32),
      }),
    }),
    timeoutMs: int32(),
    validateOnly: bool(),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      name: string(),
      errorCode: int16(),
      errorMessage: string('nullable default=null'),
    }),
  },
);
