import { api, array, int16, int32, int64, string } from '../schema.ts';

export const listTransactions = api(
  { key: 66, name: 'ListTransactions', versions: '0-2', flexible: '0+' },
  {
    stateFilters: array(string),
    producerIdFilters: array(int64),
    durationFilter: int64('1+ default=-1'),
    transactionalIdPattern: string('2+ nullable default=null'),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    unknownStateFilters: array(string),
    transactionStates: array({
      transactionalId: string(),
      producerId: int64(),
      transactionState: string(),
    }),
  },
);
