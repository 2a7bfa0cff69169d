import { api, array, bool, int16, int32, int8, string } from '../schema.ts';

export const updateFeatures = api(
  { key: 57, name: 'UpdateFeatures', versions: '0-2', flexible: '0+' },
  {
    timeoutMs: int32('default=60000'),
    featureUpdates: array({
      feature: string('mapkey'),
      maxVersionLevel: int16(),
      allowDowngrade: bool('0'),
      upgradeType: int8('1+ default=1'),
    }),
    validateOnly: bool('1+'),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable'),
    results: array('0-1 ignorable', {
      feature: string('mapkey'),
      errorCode: int16(),
      errorMessage: string('nullable'),
    }),
  },
);
