import { api, bytes, int16, int32, int64 } from '../schema.ts';

export const renewDelegationToken = api(
  { key: 39, name: 'RenewDelegationToken', versions: '0-2', flexible: '2+' },
  {
    hmac: bytes(),
    renewPeriodMs: int64(),
  },
  {
    errorCode: int16(),
    expiryTimestampMs: int64(),
    throttleTimeMs: int32(),
  },
);
