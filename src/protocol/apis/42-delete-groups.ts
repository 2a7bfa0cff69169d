import { api, array, int16, int32, string } from '../schema.ts';

export const deleteGroups = api(
  { key: 42, name: 'DeleteGroups', versions: '0-2', flexible: '2+' },
  {
    groupsNames: array(string),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      groupId: string('mapkey'),
      errorCode: int16(),
    }),
  },
);
