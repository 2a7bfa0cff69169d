/**
 * The bytes of a journal. All integers little-endian (never on a wire).
 *
 *   file    = group, then the next group at the next multiple of 4096, … ; what follows the last group is stale or zero
 *   group   = header (64 bytes) · entries · inline payload
 *
 *   header    0 u32 magic            'RLJ1'
 *             4 u32 crc              CRC32C of bytes 8 … 64 + entriesBytes
 *             8 u64 generation       random per start: tells this life's groups from an earlier life's
 *            16 f64 sequence         1, 2, 3, … without gaps
 *            24 f64 syncedThrough    every group up to this sequence was durable when this one was written
 *            32 u32 entryCount
 *            36 u32 entriesBytes
 *            40 u32 payloadBytes     not under this crc: each batch has its own
 *            44 u32 zero · 48 f64 timestamp (ms) · 56 u64 zero
 *
 *   vouch   = header of sequence 0, without entries and payload, where the next group will begin: only its syncedThrough means something
 *
 *   append    0 u8 type · 1 u8 flags (1 = inline, 2 = of log-append time) · 2 i16 producerEpoch · 4 u32 length (72) · 8 u32 handle · 12 u32 lastOffsetDelta
 *            16 f64 baseOffset · 24 f64 segmentBase · 32 u32 position · 36 u32 batchBytes · 40 u32 batchCrc · 44 u32 payloadAt
 *            48 f64 maxTimestamp · 56 i64 producerId · 64 i32 baseSequence · 68 i32 leaderEpoch
 *
 *   control   0 u8 type · 1 3×zero · 4 u32 length (16 + body, rounded up to 8) · 8 u32 handle · 12 u32 bodyBytes · 16 body (MessagePack)
 *
 * Offsets, sequences and times are f64: exact up to 2^53, and no bigint on the hot path.
 */
import { pack } from 'msgpackr/pack';
import { unpack } from 'msgpackr/unpack';
import { crc32cAt } from '../protocol/crc32c.ts';
import { readInt64 } from '../protocol/int64.ts';
import { isLogAppendTime } from '../protocol/record-batch.ts';
import type { PartitionState, SegmentState } from './partition-state.ts';

export const GROUP_ALIGNMENT = 4096;
export const GROUP_HEADER_BYTES = 64;
export const APPEND_ENTRY_BYTES = 72;
const CONTROL_HEADER_BYTES = 16;
const MAGIC = 0x314a4c52;
/** In the place of a group's sequence: not above any checkpoint's. */
const VOUCH_SEQUENCE = 0;

export const EntryType = { append: 1, bind: 2, open: 3, close: 4, movedOut: 5, truncate: 6, logStart: 7, roll: 8, replace: 9 } as const;

/** Set when the batch's bytes are in the group's payload; clear when they are only in the segment. */
export const INLINE_FLAG = 1;
/** Set when the broker gave the batch its time. */
export const STAMPED_FLAG = 2;

/** In the place of a segment's base offset: none is left, and the next append begins one. */
export const NO_SEGMENT = -1;

/** Where a group begins after one that ended at `position`. */
export function alignGroup(position: number): number {
  return Math.ceil(position / GROUP_ALIGNMENT) * GROUP_ALIGNMENT;
}

/**
 * A control entry's meaning. `bind` says again which partition a handle means: written for recovered partitions, with the first append after every
 * opening, and with some of those that follow, so that damaged groups do not leave the appends of others without an owner.
 */
export type ControlEntry =
  | { readonly type: typeof EntryType.bind; readonly topicId: string; readonly partition: number; readonly moveNumber: number }
  | { readonly type: typeof EntryType.open; readonly state: PartitionState }
  | { readonly type: typeof EntryType.close }
  | { readonly type: typeof EntryType.movedOut; readonly state: PartitionState }
  | {
      readonly type: typeof EntryType.truncate;
      readonly endOffset: number;
      readonly segmentBase: number;
      readonly endPosition: number;
      /** Of what is left in that segment; absent in entries of older versions. */
      readonly maxTimestamp?: number;
      readonly producers: Uint8Array;
    }
  /** `firstSegment`: base offset of the first segment that stays, or NO_SEGMENT. */
  | { readonly type: typeof EntryType.logStart; readonly offset: number; readonly firstSegment: number }
  /** Compacted segments in the place of those that begin within their offsets. `cleanedEnd`: what lies below is compacted; 0: nothing new about that. */
  | { readonly type: typeof EntryType.replace; readonly segments: readonly SegmentState[]; readonly cleanedEnd: number }
  | { readonly type: typeof EntryType.roll; readonly baseOffset: number; readonly capacity: number };

/** The entry that names a partition. */
export function bindEntry(state: Pick<PartitionState, 'topicId' | 'partition' | 'moveNumber'>): ControlEntry {
  return { type: EntryType.bind, topicId: state.topicId, partition: state.partition, moveNumber: state.moveNumber };
}

/** An append entry as recovery reads it. */
export interface AppendEntry {
  readonly type: typeof EntryType.append;
  readonly inline: boolean;
  /** `maxTimestamp` is the broker's. */
  readonly stamped: boolean;
  readonly handle: number;
  readonly baseOffset: number;
  readonly lastOffsetDelta: number;
  readonly segmentBase: number;
  readonly position: number;
  readonly batchBytes: number;
  readonly batchCrc: number;
  /** Place of the inline bytes within the group's payload. */
  readonly payloadAt: number;
  readonly maxTimestamp: number;
  readonly leaderEpoch: number;
  /** −1 without idempotence, as the next two. */
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

export type JournalEntry = AppendEntry | { readonly type: 'control'; readonly handle: number; readonly body: ControlEntry };

/** Writes one append entry at `at` and returns the position behind it. */
export function writeAppendEntry(
  out: Buffer,
  at: number,
  inline: boolean,
  handle: number,
  baseOffset: number,
  lastOffsetDelta: number,
  segmentBase: number,
  position: number,
  batch: Buffer,
  batchAt: number,
  batchBytes: number,
  payloadAt: number,
  maxTimestamp: number,
  leaderEpoch: number,
): number {
  out[at] = EntryType.append;
  out[at + 1] = (inline ? INLINE_FLAG : 0) | (isLogAppendTime(batch, batchAt) ? STAMPED_FLAG : 0);
  // Producer id, epoch and sequence are copied as bytes: big-endian in the batch, kept so.
  copyFew(out, at + 2, batch, batchAt + 51, 2);
  out.writeUInt32LE(APPEND_ENTRY_BYTES, at + 4);
  out.writeUInt32LE(handle, at + 8);
  out.writeUInt32LE(lastOffsetDelta, at + 12);
  out.writeDoubleLE(baseOffset, at + 16);
  out.writeDoubleLE(segmentBase, at + 24);
  out.writeUInt32LE(position, at + 32);
  out.writeUInt32LE(batchBytes, at + 36);
  copyFew(out, at + 40, batch, batchAt + 17, 4);
  out.writeUInt32LE(payloadAt, at + 44);
  out.writeDoubleLE(maxTimestamp, at + 48);
  copyFew(out, at + 56, batch, batchAt + 43, 8);
  copyFew(out, at + 64, batch, batchAt + 53, 4);
  out.writeInt32LE(leaderEpoch, at + 68);
  return at + APPEND_ENTRY_BYTES;
}

/** A few bytes, one by one: `Buffer.copy` makes a view each time, which takes longer than they do. */
function copyFew(out: Buffer, at: number, from: Buffer, fromAt: number, bytes: number): void {
  for (let i = 0; i < bytes; i++) out[at + i] = from[fromAt + i] as number;
}

/** Encodes a control entry. */
export function encodeControlEntry(handle: number, body: ControlEntry): Buffer {
  const packed = pack(body);
  const length = Math.ceil((CONTROL_HEADER_BYTES + packed.length) / 8) * 8;
  const out = Buffer.alloc(length);
  out[0] = body.type;
  out.writeUInt32LE(length, 4);
  out.writeUInt32LE(handle, 8);
  out.writeUInt32LE(packed.length, 12);
  packed.copy(out, CONTROL_HEADER_BYTES);
  return out;
}

/** Fills in the header of a group whose entries already stand behind it in `out`. */
export function sealGroup(
  out: Buffer,
  generation: bigint,
  sequence: number,
  syncedThrough: number,
  entryCount: number,
  entriesBytes: number,
  payloadBytes: number,
  nowMs: number,
): void {
  out.writeUInt32LE(MAGIC, 0);
  out.writeBigUInt64LE(generation, 8);
  out.writeDoubleLE(sequence, 16);
  out.writeDoubleLE(syncedThrough, 24);
  out.writeUInt32LE(entryCount, 32);
  out.writeUInt32LE(entriesBytes, 36);
  out.writeUInt32LE(payloadBytes, 40);
  out.writeUInt32LE(0, 44);
  out.writeDoubleLE(nowMs, 48);
  out.writeDoubleLE(0, 56);
  out.writeUInt32LE(crc32cAt(out, 8, GROUP_HEADER_BYTES + entriesBytes - 8), 4);
}

/**
 * A vouch: every group of the generation up to `syncedThrough` is durable. Whoever reads groups takes it for one that every checkpoint contains, and its
 * `syncedThrough` for what it is. It stays true for as long as it is found, whatever else was written meanwhile.
 */
export function vouchFor(generation: bigint, syncedThrough: number, nowMs: number): Buffer {
  const out = Buffer.alloc(GROUP_HEADER_BYTES);
  sealGroup(out, generation, VOUCH_SEQUENCE, syncedThrough, 0, 0, 0, nowMs);
  return out;
}

/** A group found in a journal file whose header and entries are intact; the payload is not judged here. */
export interface JournalGroup {
  readonly sequence: number;
  readonly syncedThrough: number;
  /** When it was written, ms since the epoch. */
  readonly timestampMs: number;
  readonly entries: readonly JournalEntry[];
  /** Bytes of inline payload behind the entries. */
  readonly payloadBytes: number;
  /** Bytes of the whole group. */
  readonly bytes: number;
}

/**
 * Reads the group at `at` of a journal file's bytes, or null when there is none of this generation that is intact. Entries that could not have been written make it one that is
 * not, whatever its checksum says: recovery has an answer to that, and none to an exception or a walk that does not get on.
 */
export function readGroup(file: Buffer, at: number, generation: bigint): JournalGroup | null {
  if (at + GROUP_HEADER_BYTES > file.length || file.readUInt32LE(at) !== MAGIC || file.readBigUInt64LE(at + 8) !== generation) return null;
  const entriesBytes = file.readUInt32LE(at + 36);
  const payloadBytes = file.readUInt32LE(at + 40);
  const entriesAt = at + GROUP_HEADER_BYTES;
  if (entriesBytes > file.length - entriesAt) return null;
  if (crc32cAt(file, at + 8, entriesAt + entriesBytes - at - 8) !== file.readUInt32LE(at + 4)) return null;
  const entries: JournalEntry[] = [];
  const end = entriesAt + entriesBytes;
  for (let entry = entriesAt; entry < end;) {
    const bytes = end - entry < CONTROL_HEADER_BYTES ? 0 : file.readUInt32LE(entry + 4);
    const read = bytes < CONTROL_HEADER_BYTES || bytes > end - entry ? null : readEntry(file, entry, bytes);
    if (read === null) return null;
    entries.push(read);
    entry += bytes;
  }
  return {
    sequence: file.readDoubleLE(at + 16),
    syncedThrough: file.readDoubleLE(at + 24),
    timestampMs: file.readDoubleLE(at + 48),
    entries,
    payloadBytes,
    bytes: GROUP_HEADER_BYTES + entriesBytes + payloadBytes,
  };
}

/** The entry of `bytes` bytes at `at`, or null when it is none. */
function readEntry(file: Buffer, at: number, bytes: number): JournalEntry | null {
  const handle = file.readUInt32LE(at + 8);
  if (file[at] !== EntryType.append) {
    const bodyBytes = file.readUInt32LE(at + 12);
    if (bodyBytes > bytes - CONTROL_HEADER_BYTES) return null;
    const body = readBody(file.subarray(at + CONTROL_HEADER_BYTES, at + CONTROL_HEADER_BYTES + bodyBytes), file[at] as number);
    return body === null ? null : { type: 'control', handle, body };
  }
  if (bytes !== APPEND_ENTRY_BYTES) return null;
  return {
    type: EntryType.append,
    inline: ((file[at + 1] as number) & INLINE_FLAG) !== 0,
    stamped: ((file[at + 1] as number) & STAMPED_FLAG) !== 0,
    handle,
    baseOffset: file.readDoubleLE(at + 16),
    lastOffsetDelta: file.readUInt32LE(at + 12),
    segmentBase: file.readDoubleLE(at + 24),
    position: file.readUInt32LE(at + 32),
    batchBytes: file.readUInt32LE(at + 36),
    batchCrc: file.readUInt32BE(at + 40),
    payloadAt: file.readUInt32LE(at + 44),
    maxTimestamp: file.readDoubleLE(at + 48),
    leaderEpoch: file.readInt32LE(at + 68),
    producerId: readInt64(file, at + 56),
    producerEpoch: file.readInt16BE(at + 2),
    baseSequence: file.readInt32BE(at + 64),
  };
}

/** The meaning of a control entry of this type, or null where the bytes have none. */
function readBody(bytes: Buffer, type: number): ControlEntry | null {
  let body: unknown;
  try {
    body = unpack(bytes);
  } catch {
    return null;
  }
  return typeof body === 'object' && body !== null && (body as { type?: unknown }).type === type ? (body as ControlEntry) : null;
}
