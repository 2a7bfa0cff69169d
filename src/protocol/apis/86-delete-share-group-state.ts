import { api, array, int16, int32, string, uuid } from '../schema.ts';

export const deleteShareGroupState = api(
  { key: 86, name: 'DeleteShareGroupState', versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
      }),
    }),
  },
  {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string('nullable default=null'),
      }),
    }),
  },
);
