import { api, array, int16, int32, int8, string } from '../schema.ts';

export const findCoordinator = api(
  { key: 10, name: 'FindCoordinator', versions: '0-6', flexible: '3+' },
  {
    key: string('0-3'),
    keyType: int8('1+'),
    coordinatorKeys: array('4+', string),
  },
  {
    throttleTimeMs: int32('1+ ignorable'),
    errorCode: int16('0-3'),
    errorMessage: string('1-3 nullable ignorable'),
    nodeId: int32('0-3'),
    host: string('0-3'),
    port: int32('0-3'),
    coordinators: array('4+', {
      key: string(),
      nodeId: int32(),
      host: string(),
      port: int32(),
      errorCode: int16(),
      errorMessage: string('nullable ignorable'),
    }),
  },
);
