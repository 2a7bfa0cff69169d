import { api, array, bool, bytes, int16, int32, string } from '../schema.ts';

export const joinGroup = api(
  { key: 11, name: 'JoinGroup', versions: '0-9', flexible: '6+' },
  {
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32('1+ default=-1 ignorable'),
    memberId: string(),
    groupInstanceId: string('5+ nullable default=null'),
    protocolType: string(),
    protocols: array({
      name: string('mapkey'),
      metadata: bytes(),
    }),
    reason: string('8+ nullable default=null ignorable'),
  },
  {
    throttleTimeMs: int32('2+ ignorable'),
    errorCode: int16(),
    generationId: int32('default=-1'),
    protocolType: string('7+ nullable default=null ignorable'),
    protocolName: string('nullable=7+'),
    leader: string(),
    skipAssignment: bool('9+'),
    memberId: string(),
    members: array({
      memberId: string(),
      groupInstanceId: string('5+ nullable default=null ignorable'),
      metadata: bytes(),
    }),
  },
);
