/**
 * The one place that knows which Kafka client library the command line uses, and why it is this one: docs/decisions/0018-command-line-client.md. The build puts
 * the library into this file, so that it is no dependency of the package.
 *
 * Node 20 cannot open zstd, the library asks Node for it, and topics hold what their producers sent: so it gets a way to open it here.
 */
import { compressionsAlgorithms } from '@platformatic/kafka';
import { decompress } from 'fzstd';

export {
  Admin,
  compatibilityPartitioner,
  ConfigResourceTypes,
  Consumer,
  IncrementalAlterConfigOperationTypes,
  Producer,
} from '@platformatic/kafka';
export type { ConsumerOptions, MessageToProduce } from '@platformatic/kafka';

/** Whether records can be written with zstd: what Node itself can do. */
export const CAN_WRITE_ZSTD = compressionsAlgorithms.zstd.available;

if (!CAN_WRITE_ZSTD) {
  const zstd = compressionsAlgorithms.zstd as { decompressSync: typeof compressionsAlgorithms.zstd.decompressSync };
  zstd.decompressSync = (data) => Buffer.from(decompress(Buffer.isBuffer(data) ? data : data.buffer));
}
