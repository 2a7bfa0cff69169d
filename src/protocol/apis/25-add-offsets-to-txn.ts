import { api, int16, int32, int64, string } from '../schema.ts';

export const addOffsetsToTxn = api(
  { key: 25, name: 'AddOffsetsToTxn', versions: '0-4', flexible: '3+' },
  {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    groupId: string(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
  },
);
