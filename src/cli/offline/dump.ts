/** Prints the batches of a stored partition, and their records. */
import { decompress } from '../../jobs/decompress.ts';
import { OutputTooLargeError } from '../../protocol/bounded-output.ts';
import { MalformedError } from '../../protocol/protocol-errors.ts';
import {
  BATCH_HEADER_BYTES,
  baseTimestamp,
  compression,
  isControl,
  isLogAppendTime,
  isTransactional,
  OPENED_BYTES_MAX,
  recordCount,
} from '../../protocol/record-batch.ts';
import { readRecordsFrom, type RecordView } from '../../protocol/record.ts';
import { textOrBase64 } from '../records/text.ts';
import { writeOut, type Terminal } from '../terminal.ts';
import { chosenPartition } from './choice.ts';
import type { OfflineFolder } from './folder.ts';
import { walkPartition, type StoredBatch } from './walk.ts';

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

export interface DumpOptions {
  readonly topic: string;
  readonly partition: number;
  readonly from?: number;
  readonly count: number;
  readonly records?: boolean;
  readonly json?: boolean;
}

export async function dumpPartition({ path, disk, topics }: OfflineFolder, options: DumpOptions, terminal: Terminal): Promise<void> {
  const state = chosenPartition(topics, options.topic, options.partition);
  const put = (value: object, text: string): Promise<void> => writeOut(terminal, `${options.json ? JSON.stringify(value) : text}\n`);
  for (const { from, to } of state.damaged) {
    if (to <= (options.from ?? 0)) continue;
    const flaw = `offsets ${from} to ${to - 1} cannot be read: a start of the broker found them damaged or lost, and refuses them`;
    await put({ flaw }, `FLAW ${flaw}`);
  }
  let left = options.count;
  for (const found of walkPartition(disk, path, state, options.from)) {
    if (found.kind === 'flaw') {
      await put(
        { flaw: found.text, path: found.path, position: found.position },
        `FLAW ${found.path} at byte ${found.position}: ${found.text}`,
      );
      continue;
    }
    if (left-- <= 0) return;
    const batch = describeBatch(found);
    const named = Object.entries(batch).map(([name, value]) => `${name}=${String(value)}`);
    if (!options.records) {
      await put(batch, named.join(' '));
      continue;
    }
    const records = recordsOf(found);
    if (options.json) await put({ ...batch, records }, '');
    else {
      const lines = typeof records === 'string' ? [records] : records.map((record) => JSON.stringify(record));
      await writeOut(terminal, [named.join(' '), ...lines.map((line) => `  ${line}`), ''].join('\n'));
    }
  }
}

function describeBatch({ head, path, position, bytes }: StoredBatch) {
  return {
    offset: head.baseOffset,
    lastOffset: head.lastOffset,
    file: path.slice(path.lastIndexOf('/') + 1),
    position,
    bytes: head.bytes,
    records: recordCount(bytes, 0),
    codec: CODECS[compression(bytes, 0)] ?? 'unknown',
    firstTimestamp: baseTimestamp(bytes, 0),
    maxTimestamp: head.maxTimestamp,
    timestampType: isLogAppendTime(bytes, 0) ? 'LogAppendTime' : 'CreateTime',
    leaderEpoch: head.leaderEpoch,
    producerId: head.producerId,
    producerEpoch: head.producerEpoch,
    sequence: head.baseSequence,
    transactional: isTransactional(bytes, 0),
    control: isControl(bytes, 0),
    crc: head.crc.toString(16).padStart(8, '0'),
  };
}

/** The records, or why they cannot be read although the checksum fits: their producer sent them so. */
function recordsOf({ bytes }: StoredBatch) {
  try {
    const records = decompress(compression(bytes, 0), bytes.subarray(BATCH_HEADER_BYTES), OPENED_BYTES_MAX);
    return [...readRecordsFrom(bytes, 0, records, 0, records.length)].map(describeRecord);
  } catch (error) {
    if (error instanceof MalformedError || error instanceof OutputTooLargeError) return `the records cannot be read: ${error.message}`;
    throw error;
  }
}

function describeRecord({ offset, timestamp, key, value, headers }: RecordView) {
  return {
    offset: Number(offset),
    timestamp: Number(timestamp),
    key: textOrBase64(key),
    value: textOrBase64(value),
    headers: headers.map((header) => ({ name: header.key, value: textOrBase64(header.value) })),
  };
}
