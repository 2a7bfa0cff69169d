import { api, array, int16, int32, string } from '../schema.ts';

export const listGroups = api(
  { key: 16, name: 'ListGroups', versions: '0-5', flexible: '3+' },
  {
    statesFilter: array('4+', string),
    typesFilter: array('5+', string),
  },
  {
    throttleTimeMs: int32('1+ ignorable'),
    errorCode: int16(),
    groups: array({
      groupId: string(),
      protocolType: string(),
      groupState: string('4+ ignorable'),
      groupType: string('5+ ignorable'),
    }),
  },
);
