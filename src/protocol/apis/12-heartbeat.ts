import { api, int16, int32, string } from '../schema.ts';

export const heartbeat = api(
  { key: 12, name: 'Heartbeat', versions: '0-4', flexible: '4+' },
  {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string('3+ nullable default=null'),
  },
  {
    throttleTimeMs: int32('1+ ignorable'),
    errorCode: int16(),
  },
);
