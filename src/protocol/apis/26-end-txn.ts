import { api, bool, int16, int32, int64, string } from '../schema.ts';

export const endTxn = api(
  { key: 26, name: 'EndTxn', versions: '0-5', flexible: '3+' },
  {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    committed: bool(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64('5+ default=-1 ignorable'),
    producerEpoch: int16('5+ default=-1 ignorable'),
  },
);
