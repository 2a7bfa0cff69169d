import { api, array, bytes, int16, int32, string } from '../schema.ts';

export const syncGroup = api(
  { key: 14, name: 'SyncGroup', versions: '0-5', flexible: '4+' },
  {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string('3+ nullable default=null'),
    protocolType: string('5+ nullable default=null ignorable'),
    protocolName: string('5+ nullable default=null ignorable'),
    assignments: array({
      memberId: string(),
      assignment: bytes(),
    }),
  },
  {
    throttleTimeMs: int32('1+ ignorable'),
    errorCode: int16(),
    protocolType: string('5+ nullable default=null ignorable'),
    protocolName: string('5+ nullable default=null ignorable'),
    assignment: bytes(),
  },
);
