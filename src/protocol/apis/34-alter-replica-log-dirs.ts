import { api, array, int16, int32, string } from '../schema.ts';

export const alterReplicaLogDirs = api(
  { key: 34, name: 'AlterReplicaLogDirs', versions: '0-2', flexible: '2+' },
  {
    dirs: array({
      path: string('mapkey'),
      topics: array({
        name: string('mapkey'),
        partitions: array(int32),
      }),
    }),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
);
