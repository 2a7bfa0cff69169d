import { api, array, bytes, int16, int32, int64, string } from '../schema.ts';

export const describeDelegationToken = api(
  { key: 41, name: 'DescribeDelegationToken', versions: '0-3', flexible: '2+' },
  {
    owners: array('nullable', {
      principalType: string(),
      principalName: string(),
    }),
  },
  {
    errorCode: int16(),
    tokens: array({
      principalType: string(),
      principalName: string(),
      tokenRequesterPrincipalType: string('3+'),
      tokenRequesterPrincipalName: string('3+'),
      issueTimestamp: int64(),
      expiryTimestamp: int64(),
      maxTimestamp: int64(),
      tokenId: string(),
      hmac: bytes(),
      renewers: array({
        principalType: string(),
        principalName: string(),
      }),
    }),
    throttleTimeMs: int32(),
  },
);
