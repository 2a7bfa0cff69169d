import { api, array, bytes, int16, int32, int64, string } from '../schema.ts';

export const createDelegationToken = api(
  { key: 38, name: 'CreateDelegationToken', versions: '0-3', flexible: '2+' },
  {
    ownerPrincipalType: string('3+ nullable'),
    ownerPrincipalName: string('3+ nullable'),
    renewers: array({
      principalType: string(),
      principalName: string(),
    }),
    maxLifetimeMs: int64(),
  },
  {
    errorCode: int16(),
    principalType: string(),
    principalName: string(),
    tokenRequesterPrincipalType: string('3+'),
    tokenRequesterPrincipalName: string('3+'),
    issueTimestampMs: int64(),
    expiryTimestampMs: int64(),
    maxTimestampMs: int64(),
    tokenId: string(),
    hmac: bytes(),
    throttleTimeMs: int32(),
  },
);
