import { api, bool, int16, int32, int64, string } from '../schema.ts';

export const initProducerId = api(
  { key: 22, name: 'InitProducerId', versions: '0-6', flexible: '2+' },
  {
    transactionalId: string('nullable'),
    transactionTimeoutMs: int32(),
    producerId: int64('3+ default=-1'),
    producerEpoch: int16('3+ default=-1'),
    enable2Pc: bool('6+'),
    keepPreparedTxn: bool('6+'),
  },
  {
    throttleTimeMs: int32('ignorable'),
    errorCode: int16(),
    producerId: int64('default=-1'),
    producerEpoch: int16(),
    ongoingTxnProducerId: int64('6+ default=-1'),
    ongoingTxnProducerEpoch: int16('6+ default=-1'),
  },
);
