/**
 * Key and value of `__transaction_state`, framed as in `offsets-topic.ts`.
 */

import { array, int16, int32, int64, int8, message, string } from '../schema.ts';

/** Record keys starting with 0. */
export const transactionLogKey = message('TransactionLogKey', '0', '', {
  transactionalId: string(),
});

export const transactionLogValue = message('TransactionLogValue', '0-1', '1+', {
  producerId: int64(),
  previousProducerId: int64('1+ tag=0 default=-1'),
  nextProducerId: int64('1+ tag=1 default=-1'),
  producerEpoch: int16(),
  transactionTimeoutMs: int32(),
  transactionStatus: int8(),
  transactionPartitions: array('nullable', {
    topic: string(),
    partitionIds: array(int32),
  }),
  transactionLastUpdateTimestampMs: int64(),
  transactionStartTimestampMs: int64(),
  clientTransactionVersion: int16('1+ tag=2'),
  nextProducerEpoch: int16('1+ tag=3 default=-1 ignorable'),
});
