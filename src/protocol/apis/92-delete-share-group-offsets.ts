import { api, array, int16, int32, string, uuid } from '../schema.ts';

export const deleteShareGroupOffsets = api(
  { key: 92, name: 'DeleteShareGroupOffsets', versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicName: string(),
    }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable default=null'),
    responses: array({
      topicName: string(),
      topicId: uuid(),
      errorCode: int16(),
      errorMessage: string('nullable default=null'),
    }),
  },
);
