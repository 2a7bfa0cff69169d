import { api, int16, int32, string, uuid } from '../schema.ts';

export const removeRaftVoter = api(
  { key: 81, name: 'RemoveRaftVoter', versions: '0', flexible: '0+' },
  {
    clusterId: string('nullable'),
    voterId: int32(),
    voterDirectoryId: uuid(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable ignorable'),
  },
);
