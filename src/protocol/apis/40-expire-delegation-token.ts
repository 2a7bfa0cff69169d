import { api, bytes, int16, int32, int64 } from '../schema.ts';

export const expireDelegationToken = api(
  { key: 40, name: 'ExpireDelegationToken', versions: '0-2', flexible: '2+' },
  {
    hmac: bytes(),
    expiryTimePeriodMs: int64(),
  },
  {
    errorCode: int16(),
    expiryTimestampMs: int64(),
    throttleTimeMs: int32(),
  },
);
