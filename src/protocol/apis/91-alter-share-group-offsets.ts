import { api, array, int16, int32, int64, string, uuid } from '../schema.ts';

export const alterShareGroupOffsets = api(
  { key: 91, name: 'AlterShareGroupOffsets', versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicName: string('mapkey'),
      partitions: array({
        partitionIndex: int32(),
        startOffset: int64(),
      }),
    }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string('nullable default=null'),
    responses: array({
      topicName: string('mapkey'),
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string('nullable default=null'),
      }),
    }),
  },
);
