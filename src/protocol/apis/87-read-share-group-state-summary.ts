import { api, array, int16, int32, int64, string, uuid } from '../schema.ts';

export const readShareGroupStateSummary = api(
  { key: 87, name: 'ReadShareGroupStateSummary', versions: '0-1', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        leaderEpoch: int32(),
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
        stateEpoch: int32(),
        leaderEpoch: int32(),
        startOffset: int64(),
        deliveryCompleteCount: int32('1+ default=-1 ignorable'),
      }),
    }),
  },
);
