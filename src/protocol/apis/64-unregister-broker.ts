import { api, int16, int32, string } from '../schema.ts';

export const unregisterBroker = api(
  { key: 64, name: 'UnregisterBroker', versions: '0', flexible: '0+' },
  {
    brokerId: int32(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable'),
  },
);
