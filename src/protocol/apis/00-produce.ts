import { api, array, int16, int32, int64, records, string, struct, uuid } from '../schema.ts';

export const produce = api(
  { key: 0, name: 'Produce', versions: '0-13', flexible: '9+' },
  {
    transactionalId: string('3+ nullable default=null'),
    acks: int16(),
    timeoutMs: int32(),
    topicData: array({
      name: string('0-12 mapkey ignorable'),
      topicId: uuid('13+ mapkey ignorable'),
      partitionData: array({
        index: int32(),
        records: records('nullable'),
      }),
    }),
  },
  {
    responses: array({
      name: string('0-12 mapkey ignorable'),
      topicId: uuid('13+ mapkey ignorable'),
      partitionResponses: array({
        index: int32(),
        errorCode: int16(),
        baseOffset: int64(),
        logAppendTimeMs: int64('2+ default=-1 ignorable'),
        logStartOffset: int64('5+ default=-1 ignorable'),
        recordErrors: array('8+ ignorable', {
          batchIndex: int32(),
          batchIndexErrorMessage: string('nullable default=null'),
        }),
        errorMessage: string('8+ nullable default=null ignorable'),
        currentLeader: struct('10+ tag=0', {
          leaderId: int32('default=-1'),
          leaderEpoch: int32('default=-1'),
        }),
      }),
    }),
    throttleTimeMs: int32('1+ ignorable'),
    nodeEndpoints: array('10+ tag=0', {
      nodeId: int32('mapkey'),
      host: string(),
      port: int32(),
      rack: string('nullable default=null'),
    }),
  },
);
