/** What the simulator remembers of each topic, and what a recovered log is held against. */
import { segmentPath } from '../../src/log/layout.ts';
import type { Durability, PartitionConfig, PartitionState } from '../../src/log/partition-state.ts';
import { isIntactBatch } from '../../src/log/batch-reader.ts';
import type { PartitionView } from '../../src/main/partition-view.ts';
import type { FakeDisk } from './fake-disk.ts';

export const DATA = '/data';

/** How much something may be trusted to outlive: nothing, the process, or the power. */
export const Survives = { stop: 0, process: 1, power: 2 } as const;

export interface SimRecord {
  readonly id: number;
  readonly batch: Buffer;
  /** Offset it was sent with, as to a follower; −1: the shard gives it one. */
  readonly given: number;
  baseOffset: number;
  lastOffset: number;
  leaderEpoch: number;
  segmentBase: number;
  position: number;
  acked: boolean;
  /** A consumer may have seen it. */
  shown: boolean;
  survives: number;
  /** Of all its records, ms. */
  timestamp: number;
}

/** When a topic's records may go; the fields are those of PartitionConfig. */
export type SimRetention = Pick<PartitionConfig, 'retentionMs' | 'retentionBytes' | 'segmentMs' | 'segmentJitterMs'>;

export interface SimTopic {
  readonly id: string;
  readonly number: number;
  durability: Durability;
  segmentBytes: number;
  appendTime: boolean;
  handle: number;
  /** Name of the shard that serves it. */
  shard: string;
  deleted: boolean;
  online: boolean;
  moving: boolean;
  /** The state it is being opened with, and the one with which a shard refused to open it. */
  opening: PartitionState | null;
  unopened: PartitionState | null;
  leaderEpoch: number;
  /** Main's view of it. */
  view: PartitionView;
  /** What was acknowledged or shown, by base offset; cut by truncations. */
  records: Map<number, SimRecord>;
  /** Ids of batches that a truncation took away, and that was answered: gone for good. */
  readonly cut: Set<number>;
  /** What was sent, by id; answered or not. */
  readonly sent: Map<number, SimRecord>;
  damagedAllowed: boolean;
  /** A truncation was asked for and not answered yet: records from here on may or may not be gone. */
  truncatingTo: number;
  retention: SimRetention;
  /** All that may be in force: changes that are not answered yet, and what was before. */
  retentions: SimRetention[];
  /** Changes of settings that are not answered yet. */
  configuring: number;
  /** Records below were deleted, and main was told. */
  logStart: number;
  /** By what it outlives (see Survives): records below are deleted for good. */
  readonly securedStart: [number, number, number];
  /** Records below may be gone: their deletion was asked for, or decided and not announced. */
  maybeStart: number;
  /** Last log-append time of this life. */
  lastAppendTime: number;
}

export class Violation extends Error {
  override name = 'Violation';
}

export function check(condition: boolean, text: string): void {
  if (!condition) throw new Violation(text);
}

/** Whether `stored` is the batch of `record`, as far as the broker may not change it. */
export function holdsBatch(topic: SimTopic, record: SimRecord, stored: Buffer): boolean {
  if (!topic.appendTime || record.given >= 0) return stored.subarray(17).equals(record.batch.subarray(17));
  // The broker wrote CRC, timestamp type and largest timestamp.
  const untouched = (batch: Buffer): Buffer => Buffer.concat([batch.subarray(23, 35), batch.subarray(43)]);
  return isIntactBatch(stored, stored.length) && untouched(stored).equals(untouched(record.batch));
}

/** Holds a topic as recovery left it against the history, and makes what it holds the history. `survived`: the least a record must have had to be there. */
export function verifyTopic(disk: FakeDisk, topic: SimTopic, state: PartitionState | undefined, survived: number): void {
  const logStart = state?.logStartOffset ?? 0;
  const secured = Math.max(...topic.securedStart.slice(survived));
  check(logStart >= secured, `${topic.id}: records below ${secured} were deleted, and that was answered; the log starts at ${logStart}`);
  check(logStart <= topic.maybeStart, `${topic.id}: the log starts at ${logStart}, deleted was at most what is below ${topic.maybeStart}`);
  if (state !== undefined) verifyFrame(topic, state);
  const survivors = new Map<number, SimRecord>();
  if (state !== undefined) walk(disk, topic, state, survivors);
  for (const record of topic.records.values()) {
    if ((!record.acked && !record.shown) || record.survives < survived) continue;
    if (record.lastOffset >= topic.truncatingTo || record.lastOffset < logStart) continue;
    const what = `${topic.id}: ${record.acked ? 'acknowledged' : 'shown'} offset ${record.baseOffset} (survives ${record.survives})`;
    check(state !== undefined && record.lastOffset < state.endOffset, `${what} is gone: the log ends at ${state?.endOffset}`);
    const refused = state?.damaged.some(({ from, to }) => from <= record.baseOffset && record.baseOffset < to) === true;
    check(
      refused || survivors.get(record.baseOffset)?.id === record.id,
      `${what} is gone: the log begins at ${state?.segments[0]?.baseOffset}`,
    );
  }
  topic.records = survivors;
  topic.truncatingTo = Infinity;
  topic.logStart = topic.maybeStart = logStart;
  topic.securedStart.fill(logStart);
  topic.retentions = [topic.retention];
}

function verifyFrame(topic: SimTopic, state: PartitionState): void {
  check(state.logStartOffset <= state.endOffset, `${topic.id}: the log starts at ${state.logStartOffset} and ends at ${state.endOffset}`);
  const first = state.segments[0]?.baseOffset ?? state.endOffset;
  check(
    skipDamage(state, state.logStartOffset, first) >= first,
    `${topic.id}: the log starts at ${state.logStartOffset}, its first segment at ${first}, it ends at ${state.endOffset}`,
  );
  const isOlder = (epoch: { epoch: number; startOffset: number }, i: number): boolean =>
    i === 0 || (state.epochs[i - 1]!.epoch < epoch.epoch && state.epochs[i - 1]!.startOffset <= epoch.startOffset);
  check(state.epochs.every(isOlder), `${topic.id}: epochs do not ascend: ${JSON.stringify(state.epochs)}`);
  check(
    state.epochs.every(({ startOffset }) => startOffset < state.endOffset || startOffset === state.logStartOffset),
    `${topic.id}: epochs ${JSON.stringify(state.epochs)} beyond the end ${state.endOffset}`,
  );
}

function walk(disk: FakeDisk, topic: SimTopic, state: PartitionState, survivors: Map<number, SimRecord>): void {
  const seen = new Set<number>();
  let expected = state.segments[0]?.baseOffset ?? state.endOffset;
  const lastIds = new Map<string, number>();
  if (!topic.damagedAllowed)
    check(state.damaged.length === 0, `${topic.id}: damage reported although nothing was damaged: ${JSON.stringify(state.damaged)}`);
  for (const segment of state.segments) {
    if (segment.endPosition === 0) continue;
    expected = skipDamage(state, expected, segment.baseOffset);
    check(segment.baseOffset === expected, `${topic.id}: segment ${segment.baseOffset} does not follow ${expected}`);
    const path = segmentPath(DATA, topic.id, 0, segment.baseOffset);
    check(disk.exists(path), `${topic.id}: the file of segment ${segment.baseOffset} is gone`);
    const fd = disk.peek(path);
    let maxTimestamp = -1;
    for (let position = 0; position < segment.endPosition;) {
      const header = Buffer.alloc(61);
      disk.read(fd, header, 0, 61, position);
      const baseOffset = Number(header.readBigInt64BE(0));
      const bytes = header.readInt32BE(8) + 12;
      expected = skipDamage(state, expected, baseOffset);
      check(
        baseOffset === expected && bytes > 61 && bytes < 20_000,
        `${topic.id}: at ${segment.baseOffset}+${position} stands offset ${baseOffset}, expected ${expected}`,
      );
      const batch = Buffer.alloc(bytes);
      disk.read(fd, batch, 0, bytes, position);
      const id = idOf(batch);
      const sent = topic.sent.get(id);
      check(
        sent !== undefined && holdsBatch(topic, sent, batch),
        `${topic.id}: offset ${baseOffset} holds bytes that were never sent (id ${id})`,
      );
      check(!topic.cut.has(id), `${topic.id}: batch ${id} at offset ${baseOffset} was cut by a truncation and is back`);
      check(!seen.has(id), `${topic.id}: batch ${id} stands twice`);
      // Of one producer and epoch; all that have no producer id count as one.
      const producer = `${batch.readBigInt64BE(43)} ${batch.readInt16BE(51)}`;
      const lastId = lastIds.get(producer) ?? 0;
      check(id > lastId, `${topic.id}: batch ${id} stands behind ${lastId}`);
      seen.add(id);
      lastIds.set(producer, id);
      const lastOffset = baseOffset + header.readInt32BE(23);
      const epoch = header.readInt32BE(12);
      // The history begins with the log.
      const first = Math.max(baseOffset, state.logStartOffset);
      const told = state.epochs.findLast(({ startOffset }) => startOffset <= first)?.epoch ?? -1;
      check(
        epoch === told || lastOffset < state.logStartOffset,
        `${topic.id}: offset ${baseOffset} is of epoch ${epoch}, the history says ${told}`,
      );
      // An idempotent producer may have sent it in several.
      const isPlain = header.readBigInt64BE(43) < 0n;
      check(
        !isPlain || epoch === sent!.leaderEpoch,
        `${topic.id}: offset ${baseOffset} of epoch ${epoch} was sent in epoch ${sent!.leaderEpoch}`,
      );
      const before = topic.records.get(baseOffset);
      if (before !== undefined && before.acked && before.survives >= Survives.power)
        check(before.id === id, `${topic.id}: offset ${baseOffset} was batch ${before.id} and is batch ${id} now`);
      // What is served from now on may not vanish any more: recovery synced it.
      if (lastOffset >= state.logStartOffset)
        survivors.set(baseOffset, {
          ...sent!,
          baseOffset,
          lastOffset,
          segmentBase: segment.baseOffset,
          position,
          acked: before?.acked ?? true,
          shown: true,
          survives: Survives.power,
          timestamp: Number(header.readBigInt64BE(35)),
        });
      maxTimestamp = Math.max(maxTimestamp, Number(header.readBigInt64BE(35)));
      expected = lastOffset + 1;
      position += bytes;
    }
    check(
      segment.maxTimestamp === maxTimestamp || topic.damagedAllowed,
      `${topic.id}: segment ${segment.baseOffset} has records up to ${maxTimestamp} ms, its state says ${segment.maxTimestamp}`,
    );
    expected = skipDamage(state, expected, segment.endOffset);
    check(
      segment.endOffset === expected,
      `${topic.id}: segment ${segment.baseOffset} ends at ${expected}, its state says ${segment.endOffset}`,
    );
    disk.close(fd);
  }
  expected = skipDamage(state, expected, state.endOffset);
  check(state.endOffset === expected, `${topic.id}: the log ends at ${expected}, its state says ${state.endOffset}`);
}

function idOf(batch: Buffer): number {
  // Header 61 bytes, then record: varint length, attributes, timestamp delta, offset delta, key length, varint value length, value.
  let at = 61;
  const varint = (): void => {
    while (((batch[at++] as number) & 0x80) !== 0);
  };
  varint();
  at++;
  varint();
  varint();
  varint();
  varint();
  return at + 8 <= batch.length ? batch.readDoubleBE(at) : NaN;
}

/** The offset that has to come next, given that damaged ranges up to `found` are not there. */
function skipDamage(state: PartitionState, expected: number, found: number): number {
  let next = expected;
  for (const range of state.damaged) if (range.from <= next && next < range.to && found >= range.to) next = range.to;
  return next;
}

/** Whether the bytes at the place of a record are its own. */
export function expectRecord(disk: FakeDisk, topic: SimTopic, fd: number, record: SimRecord, who: string): void {
  const batch = Buffer.alloc(record.batch.length);
  disk.read(fd, batch, 0, batch.length, record.position);
  const same = Number(batch.readBigInt64BE(0)) === record.baseOffset && holdsBatch(topic, record, batch);
  check(same, `${topic.id}: ${who} of offset ${record.baseOffset} sees other bytes`);
}
