import { api, array, bool, int16, int32, int64, string } from '../schema.ts';

export const apiVersions = api(
  { key: 18, name: 'ApiVersions', versions: '0-4', flexible: '3+' },
  {
    clientSoftwareName: string('3+ ignorable'),
    clientSoftwareVersion: string('3+ ignorable'),
  },
  {
    errorCode: int16(),
    apiKeys: array({
      apiKey: int16('mapkey'),
      minVersion: int16(),
      maxVersion: int16(),
    }),
    throttleTimeMs: int32('1+ ignorable'),
    supportedFeatures: array('3+ tag=0 ignorable', {
      name: string('mapkey'),
      minVersion: int16(),
      maxVersion: int16(),
    }),
    finalizedFeaturesEpoch: int64('3+ tag=1 default=-1 ignorable'),
    finalizedFeatures: array('3+ tag=2 ignorable', {
      name: string('mapkey'),
      maxVersionLevel: int16(),
      minVersionLevel: int16(),
    }),
    zkMigrationReady: bool('3+ tag=3 ignorable'),
  },
);
