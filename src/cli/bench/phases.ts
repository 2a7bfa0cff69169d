/** The parts of a bench: as many records as go, single records at a steady rate, and reading them all. Latencies are in histograms, in µs. */
import { build, type Histogram } from 'hdr-histogram-js';
import { UserError } from '../../lib/user-error.ts';
import type { KafkaClient } from '../kafka/client.ts';
import type { Acks, Compression, OutgoingRecord } from '../kafka/types.ts';
import { readRecords, type Source } from '../records/reader.ts';
import { countText, plural } from '../terminal.ts';

const LATENCY_US_MAX = 60_000_000;
/** Bytes of a value in which the time of its sending stands. */
const STAMP_BYTES = 8;
/** How long a last record may take from its acknowledgement to a reader, ms. */
const ARRIVAL_MS = 5000;

/** What takes the records. */
export type Sink = Pick<KafkaClient, 'send'>;

export interface Load {
  readonly topic: string;
  readonly recordBytes: number;
  readonly acks: Acks;
  readonly compression: Compression;
  readonly signal: AbortSignal;
}

export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface Flow {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Told how far a phase has come, 0 to 1. */
export type OnProgress = (part: number) => void;

/** Sends batches, some of them on their way at any time, for so long. */
export async function produceBatches(
  client: Sink,
  load: Load,
  { batchBytes, inFlight, ms, onProgress }: { batchBytes: number; inFlight: number; ms: number; onProgress: OnProgress },
): Promise<Flow & { readonly ackMs: Percentiles }> {
  const count = Math.max(1, Math.floor(batchBytes / load.recordBytes));
  const histogram = newHistogram();
  const beganMs = performance.now();
  let records = 0;
  const failing = new AbortController();
  const over = AbortSignal.any([failing.signal, load.signal]);
  const lane = async (): Promise<void> => {
    for (let nowMs = performance.now(); nowMs < beganMs + ms && !over.aborted;) {
      await client.send(load.topic, batchOf(count, load.recordBytes), load);
      const doneMs = performance.now();
      histogram.recordValue(micros(doneMs - nowMs));
      records += count;
      nowMs = doneMs;
      onProgress((doneMs - beganMs) / ms);
    }
  };
  await allEnded(Array.from({ length: inFlight }, lane), failing);
  return { ...flow(records, load.recordBytes, beganMs), ackMs: percentiles(histogram) };
}

/**
 * Sends single records at a steady rate, and reads them at the same time. A record that goes late because an earlier one was slow counts from when it was due: so
 * does what a user would wait.
 */
export async function steadyRecords(
  client: Sink,
  reader: Source,
  load: Load,
  { rate, ms, onProgress }: { rate: number; ms: number; onProgress: OnProgress },
): Promise<Flow & { readonly ackMs: Percentiles; readonly endToEndMs: Percentiles }> {
  const acked = newHistogram();
  const arrived = newHistogram();
  /** Aborted when something has failed, and when the last record had its time to arrive. */
  const ending = new AbortController();
  const over = AbortSignal.any([ending.signal, load.signal]);
  const topic = await reader.topic(load.topic);
  const from = await reader.offsets(
    load.topic,
    topic.partitions.map(({ partition }) => partition),
    'latest',
  );
  const total = Math.max(1, Math.floor((rate * ms) / 1000));
  let seen = 0;
  const read = (async (): Promise<void> => {
    for await (const records of readRecords(reader, { topic, from, to: undefined, signal: over, onNotice: () => undefined })) {
      const nowMs = performance.now();
      for (const { value } of records) if (value !== null) arrived.recordValue(micros(nowMs - value.readDoubleLE(0)));
      seen += records.length;
      if (seen >= total) return;
    }
  })();
  read.catch(() => ending.abort()); // thrown below
  const beganMs = performance.now();
  const sends: Promise<void>[] = [];
  let sent = 0;
  for (; sent < total && !over.aborted; sent++) {
    const dueMs = beganMs + (sent / rate) * 1000;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    const [record] = batchOf(1, load.recordBytes) as [OutgoingRecord];
    record.value?.writeDoubleLE(dueMs, 0);
    const send = client.send(load.topic, [record], load).then(() => acked.recordValue(micros(performance.now() - dueMs)));
    send.catch(() => ending.abort()); // thrown below
    sends.push(send);
    onProgress(sent / total);
  }
  await Promise.allSettled(sends);
  const result = flow(sent, load.recordBytes, beganMs);
  const late = setTimeout(() => ending.abort(), ARRIVAL_MS);
  try {
    await allEnded([...sends, read], ending);
  } finally {
    clearTimeout(late);
  }
  if (seen < total && !load.signal.aborted)
    throw new UserError(
      `${plural(total - seen, 'record')} of ${countText(total)} never came to the reader, ${ARRIVAL_MS / 1000} s after the last was acknowledged.`,
    );
  return { ...result, ackMs: percentiles(acked), endToEndMs: percentiles(arrived) };
}

/** Reads all records of the topic. */
export async function readAll(client: Source, { topic: name, recordBytes, signal }: Load, onProgress: OnProgress): Promise<Flow> {
  const topic = await client.topic(name);
  const all = topic.partitions.map(({ partition }) => partition);
  const from = await client.offsets(name, all, 'earliest');
  const to = await client.offsets(name, all, 'latest');
  const total = all.reduce((sum, partition) => sum + (to.get(partition) ?? 0) - (from.get(partition) ?? 0), 0);
  const beganMs = performance.now();
  let records = 0;
  for await (const some of readRecords(client, { topic, from, to, signal, onNotice: () => undefined })) {
    records += some.length;
    onProgress(records / total);
  }
  return flow(records, recordBytes, beganMs);
}

/**
 * Resolves when all of it has ended; throws the first failure, but not before: what is on its way to a topic could make it again after it was deleted.
 * @param failing aborted at the first failure, so that the others end
 */
async function allEnded(work: readonly Promise<void>[], failing: AbortController): Promise<void> {
  for (const each of work) each.catch(() => failing.abort());
  const failed = (await Promise.allSettled(work)).find(({ status }) => status === 'rejected');
  if (failed?.status === 'rejected') throw failed.reason;
}

function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: LATENCY_US_MAX,
    numberOfSignificantValueDigits: 3,
    useWebAssembly: false,
  });
}

function micros(ms: number): number {
  return Math.min(LATENCY_US_MAX, Math.max(1, Math.round(ms * 1000)));
}

function percentiles(histogram: Histogram): Percentiles {
  const at = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000;
  return { p50: at(50), p99: at(99), p999: at(99.9), max: histogram.maxValue / 1000 };
}

function flow(records: number, recordBytes: number, beganMs: number): Flow {
  return { records, bytes: records * recordBytes, seconds: (performance.now() - beganMs) / 1000 };
}

/** Distinct bytes in every record, as real ones have. */
function batchOf(count: number, recordBytes: number): OutgoingRecord[] {
  return Array.from({ length: count }, () => {
    const value = Buffer.allocUnsafe(Math.max(STAMP_BYTES, recordBytes));
    let seed = Math.floor(Math.random() * 0x7fffffff) | 1;
    for (let at = 0; at + 4 <= value.length; at += 4) {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      value.writeInt32LE(seed, at);
    }
    return { key: null, value, headers: [] };
  });
}
