/**
 * Finds records by time: the first one with a timestamp at or after a given one, and the one with the largest. Index and batch headers lead to the batch;
 * it is read, checked and opened: here, or in a job when it is compressed. Main only; a bounded number of batches is in memory at a time.
 */
import { isBatchCrcValid } from '../protocol/crc32c.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import {
  BASE_TIMESTAMP_POSITION,
  BATCH_HEADER_BYTES,
  batchBytes,
  Compression,
  compression,
  isLogAppendTime,
  lastOffsetDelta,
  MAX_TIMESTAMP_POSITION,
} from '../protocol/record-batch.ts';
import { readRecords } from '../protocol/record.ts';
import type { BatchOpener } from './batch-opener.ts';
import type { DamageFinder } from './damage-finder.ts';
import type { Locator, Place } from './locator.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { SegmentView } from './segment-view.ts';

/** Batches in memory at a time. */
const SEARCHES_MAX = 4;
/** Damaged batches that one search jumps over, and times that it begins again because the log start moved. */
const ATTEMPTS_MAX = 64;

/** A record's place in log and time. */
export interface FoundRecord {
  readonly offset: number;
  /** ms. As Java would add it up: producers may write what they like, and it travels as an int64. */
  readonly timestamp: bigint;
}

/** `gone`: the segment left the log meanwhile. */
type SearchOutcome = FoundRecord | null | 'error' | 'gone';
/** null: not (wholly) there, or not intact. */
type ReadOutcome = Buffer | null | 'error' | 'gone';

/** See the file header. */
export class TimestampSearch {
  private readonly locator: Locator;
  private readonly reader: SegmentReader;
  private readonly damage: DamageFinder;
  private readonly opener: BatchOpener;
  private running = 0;
  private readonly queue: (() => void)[] = [];

  constructor(locator: Locator, reader: SegmentReader, damage: DamageFinder, opener: BatchOpener) {
    this.opener = opener;
    this.locator = locator;
    this.reader = reader;
    this.damage = damage;
  }

  /** The first readable record with a timestamp (ms) at or after `timestamp`; null when there is none. Rejects with MalformedError. */
  firstFrom(view: PartitionView, timestamp: number): Promise<FoundRecord | null | 'error'> {
    return this.inTurn(() => this.search(view, timestamp, view.segmentIndexOf(view.logStartOffset)));
  }

  /** The first of the readable records with the largest timestamp; null for an empty log or one without timestamps. Rejects with MalformedError. */
  largest(view: PartitionView): Promise<FoundRecord | null | 'error'> {
    return this.inTurn(async () => {
      let best = -1;
      let bestSegment = -1;
      for (let i = Math.max(0, view.segmentIndexOf(view.logStartOffset)); i < view.segments.length; i++) {
        const { maxTimestamp } = view.segments[i] as SegmentView;
        if (maxTimestamp <= best) continue;
        best = maxTimestamp;
        bestSegment = i;
      }
      return bestSegment === -1 ? null : this.search(view, best, bestSegment);
    });
  }

  /** Runs a search once there is memory for it, and again if what it was looking at left the log meanwhile. */
  private async inTurn(run: () => Promise<SearchOutcome>): Promise<FoundRecord | null | 'error'> {
    if (this.running === SEARCHES_MAX) await new Promise<void>((resolve) => this.queue.push(resolve));
    this.running++;
    try {
      for (let attempts = 0; attempts < ATTEMPTS_MAX; attempts++) {
        const outcome = await run();
        if (outcome !== 'gone') return outcome;
      }
      return 'error';
    } finally {
      this.running--;
      this.queue.shift()?.();
    }
  }

  private async search(view: PartitionView, timestamp: number, fromSegment: number): Promise<SearchOutcome> {
    let place = await this.locate(view, timestamp, Math.max(0, fromSegment));
    for (let attempts = 0; attempts < ATTEMPTS_MAX && place.outcome === 'found'; attempts++) {
      const segment = place.segment as SegmentView;
      const batch = await this.readBatch(view, segment, place.position);
      if (batch === 'error' || batch === 'gone') return batch;
      if (batch === null) {
        const damaged = place;
        const isSettled = await new Promise<boolean>((resolve) =>
          this.damage.resolve(view, segment, damaged.position, damaged.base, resolve),
        );
        if (!isSettled) return 'error';
        place = await this.locate(view, timestamp, Math.max(0, view.segments.indexOf(segment)));
        continue;
      }
      // A job takes the buffer away.
      const bytes = batch.length;
      const next = place.base + lastOffsetDelta(batch, 0) + 1;
      const found = await this.findIn(batch, place.base, timestamp, view.logStartOffset);
      if (found !== null) return found;
      // Its record of that time lies below the log start.
      place = await this.locateFrom(view, timestamp, segment, place.position + bytes, next);
    }
    return place.outcome === 'error' || place.outcome === 'gone' ? place.outcome : null;
  }

  /** The first record of a batch that counts; null when none does. Rejects with MalformedError. */
  private async findIn(batch: Buffer, base: number, timestamp: number, fromOffset: number): Promise<FoundRecord | null> {
    if (compression(batch, 0) === Compression.NONE) return findRecord(batch, timestamp, fromOffset);
    if (base + lastOffsetDelta(batch, 0) < fromOffset) return null;
    const first = Math.max(base, fromOffset);
    // All of its records have the time of the append.
    if (isLogAppendTime(batch, 0)) return { offset: first, timestamp: batch.readBigInt64BE(MAX_TIMESTAMP_POSITION) };
    const baseTimestamp = batch.readBigInt64BE(BASE_TIMESTAMP_POSITION);
    const finding = await this.opener.open({ kind: 'find', batch, timestamp, fromOffset });
    if (finding.kind === 'malformed') throw new MalformedError('batch', 'records', BATCH_HEADER_BYTES, 'they cannot be decompressed');
    if (finding.kind === 'none') return null;
    // A batch that could not be opened is answered with its start: a consumer then begins a little early, never late.
    return finding.kind === 'found'
      ? { offset: finding.offset, timestamp: finding.timestamp }
      : { offset: first, timestamp: baseTimestamp };
  }

  private locate(view: PartitionView, timestamp: number, fromSegment: number): Promise<Place> {
    return new Promise((resolve) => this.locator.locateTimestamp(view, timestamp, fromSegment, resolve));
  }

  private locateFrom(view: PartitionView, timestamp: number, segment: SegmentView, position: number, base: number): Promise<Place> {
    return new Promise((resolve) => this.locator.locateTimestampFrom(view, timestamp, segment, position, base, resolve));
  }

  /** The batch at `position`; null when it is not intact. */
  private async readBatch(view: PartitionView, segment: SegmentView, position: number): Promise<ReadOutcome> {
    const header = await this.read(view, segment, position, BATCH_HEADER_BYTES);
    if (!Buffer.isBuffer(header)) return header;
    const bytes = batchBytes(header, 0);
    if (bytes < BATCH_HEADER_BYTES || position + bytes > segment.endPosition) return null;
    const batch = await this.read(view, segment, position, bytes);
    return !Buffer.isBuffer(batch) || isBatchCrcValid(batch, 0) ? batch : null;
  }

  private read(view: PartitionView, segment: SegmentView, position: number, length: number): Promise<ReadOutcome> {
    if (segment.retired) return Promise.resolve('gone');
    const bytes = Buffer.allocUnsafeSlow(length);
    return new Promise((resolve) => {
      this.reader.read(view, segment, bytes, 0, length, position, (error, bytesRead) => {
        if (error !== null) resolve('error');
        else resolve(bytesRead < length ? null : bytes);
      });
    });
  }
}

function findRecord(batch: Buffer, timestamp: number, fromOffset: number): FoundRecord | null {
  for (const record of readRecords(batch)) {
    const offset = Number(record.offset);
    const recordTimestamp = BigInt.asIntN(64, record.timestamp);
    if (offset >= fromOffset && Number(recordTimestamp) >= timestamp) return { offset, timestamp: recordTimestamp };
  }
  return null;
}
