/**
 * The one place that knows which Kafka client library the command line uses, and why it is this one: docs/decisions/0018-command-line-client.md. The build puts
 * the library into this file, so that it is no dependency of the package.
 *
 * Node 20 cannot open zstd, the library asks Node for it, and topics hold what their producers sent: so it gets a way to open it here. And its streams know only
 * the producer's time of a record: so its consumer gives them the broker's in that place where the topic has it (LogAppendTime).
 */
import {
  compressionsAlgorithms,
  Consumer as LibraryConsumer,
  type CallbackWithPromise,
  type FetchOptions,
  type fetchV17,
} from '@platformatic/kafka';
import { decompress } from 'fzstd';

export { Admin, compatibilityPartitioner, ConfigResourceTypes, IncrementalAlterConfigOperationTypes, Producer } from '@platformatic/kafka';
export type { ConsumerOptions, MessageToProduce } from '@platformatic/kafka';

/** Whether records can be written with zstd: what Node itself can do. */
export const CAN_WRITE_ZSTD = compressionsAlgorithms.zstd.available;

if (!CAN_WRITE_ZSTD) {
  const zstd = compressionsAlgorithms.zstd as { decompressSync: typeof compressionsAlgorithms.zstd.decompressSync };
  zstd.decompressSync = (data) => Buffer.from(decompress(Buffer.isBuffer(data) ? data : data.buffer));
}

type FetchRequest = FetchOptions<Buffer, Buffer, Buffer, Buffer>;
type FetchResponse = fetchV17.FetchResponse;

/** Bit of a batch's attributes: all its records have the time of its append, which is in its header. */
const LOG_APPEND_TIME = 8;

/** The library's consumer. What it fetches, and what its streams give, has the time that the topic wants. */
export class Consumer extends LibraryConsumer {
  // Streams come here with a callback for all that they give.
  override fetch(options: FetchRequest, callback: CallbackWithPromise<FetchResponse>): void;
  override fetch(options: FetchRequest): Promise<FetchResponse>;
  override fetch(options: FetchRequest, callback?: CallbackWithPromise<FetchResponse>): Promise<FetchResponse> | void {
    if (callback === undefined) return super.fetch(options).then(withTimesOfTopic);
    super.fetch(options, (error, response) => callback(error, response && withTimesOfTopic(response)));
  }
}

/** Puts the broker's time in the place from which the library reckons, where it counts. */
function withTimesOfTopic(response: FetchResponse): FetchResponse {
  for (const { records: batches } of response.responses.flatMap(({ partitions }) => partitions))
    for (const batch of batches ?? []) {
      if ((batch.attributes & LOG_APPEND_TIME) === 0) continue;
      batch.firstTimestamp = batch.maxTimestamp;
      for (const record of batch.records) record.timestampDelta = 0n;
    }
  return response;
}
