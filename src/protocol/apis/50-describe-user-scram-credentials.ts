import { api, array, int16, int32, int8, string } from '../schema.ts';

export const describeUserScramCredentials = api(
  { key: 50, name: 'DescribeUserScramCredentials', versions: '0', flexible: '0+' },
  {
    users: array('nullable', {
      name: string(),
    }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable'),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string('nullable'),
      credentialInfos: array({
        mechanism: int8(),
        iterations: int32(),
      }),
    }),
  },
);
