import { api, array, bool, int16, int32, string, uint16, uuid } from '../schema.ts';

export const addRaftVoter = api(
  { key: 80, name: 'AddRaftVoter', versions: '0-1', flexible: '0+' },
  {
    clusterId: string('nullable'),
    timeoutMs: int32(),
    voterId: int32(),
    voterDirectoryId: uuid(),
    listeners: array({
      name: string('mapkey'),
      host: string(),
      port: uint16(),
    }),
    ackWhenCommitted: bool('1+ default=true'),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable ignorable'),
  },
);
