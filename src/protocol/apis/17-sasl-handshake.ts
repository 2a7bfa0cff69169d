import { api, array, int16, string } from '../schema.ts';

export const saslHandshake = api(
  { key: 17, name: 'SaslHandshake', versions: '0-1' },
  {
    mechanism: string(),
  },
  {
    errorCode: int16(),
    mechanisms: array(string),
  },
);
