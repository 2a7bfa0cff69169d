import { api, array, int16, int32, string } from '../schema.ts';

export const leaveGroup = api(
  { key: 13, name: 'LeaveGroup', versions: '0-5', flexible: '4+' },
  {
    groupId: string(),
    memberId: string('0-2'),
    members: array('3+', {
      memberId: string(),
      groupInstanceId: string('nullable default=null'),
      reason: string('5+ nullable default=null ignorable'),
    }),
  },
  {
    throttleTimeMs: int32('1+ ignorable'),
    errorCode: int16(),
    members: array('3+', {
      memberId: string(),
      groupInstanceId: string('nullable'),
      errorCode: int16(),
    }),
  },
);
