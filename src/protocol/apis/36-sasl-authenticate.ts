import { api, bytes, int16, int64, string } from '../schema.ts';

export const saslAuthenticate = api(
  { key: 36, name: 'SaslAuthenticate', versions: '0-2', flexible: '2+' },
  {
    authBytes: bytes(),
  },
  {
    errorCode: int16(),
    errorMessage: string('nullable'),
    authBytes: bytes(),
    sessionLifetimeMs: int64('1+ ignorable'),
  },
);
