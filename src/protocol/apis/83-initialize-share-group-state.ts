import { api, array, int16, int32, int64, string, uuid } from '../schema.ts';

export const initializeShareGroupState = api(
  { key: 83, name: 'InitializeShareGroupState', versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        stateEpoch: int32(),
        startOffset: int64(),
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
