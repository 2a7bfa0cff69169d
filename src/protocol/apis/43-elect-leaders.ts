import { api, array, int16, int32, int8, string } from '../schema.ts';

export const electLeaders = api(
  { key: 43, name: 'ElectLeaders', versions: '0-2', flexible: '2+' },
  {
    electionType: int8('1+'),
    topicPartitions: array('nullable', {
      topic: string('mapkey'),
      partitions: array(int32),
    }),
    timeoutMs: int32('default=60000'),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16('1+'),
    replicaElectionResults: array({
      topic: string(),
      partitionResult: array({
        partitionId: int32(),
        errorCode: int16(),
        errorMessage: string('nullable'),
      }),
    }),
  },
);
