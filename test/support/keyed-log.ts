/** Logs of records with keys on a fake disk, for tests of compaction. */
import { gzipSync } from 'node:zlib';
import { cleanLog } from '../../src/jobs/clean-log.ts';
import { openRecords } from '../../src/jobs/clean-batch.ts';
import { Prng } from '../../src/lib/prng.ts';
import { isIntactBatch, readBatchHead } from '../../src/log/batch-reader.ts';
import { partitionFolder, segmentPath } from '../../src/log/layout.ts';
import type { CleaningOutcome, CleaningPlan } from '../../src/log/messages.ts';
import { emptyPartition, type PartitionState, type SegmentState } from '../../src/log/partition-state.ts';
import { stampBatch } from '../../src/protocol/record-batch.ts';
import { buildBatch, readRecordsFrom } from '../../src/protocol/record.ts';
import { FakeDisk } from '../sim/fake-disk.ts';

export const DATA = '/data';
export const TOPIC = 'AAAAAAAAAAAAAAAAAAAAAA';

/** A record to write, or as it was found. */
export interface Keyed {
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp?: number;
}
export type Found = Keyed & { readonly offset: number; readonly timestamp: number };

/** See the file header. */
export class KeyedLog {
  readonly disk = new FakeDisk(new Prng(1));
  readonly state: PartitionState = emptyPartition(TOPIC, 0);
  private revision = 100;

  constructor() {
    this.disk.mkdir(partitionFolder(DATA, TOPIC, 0));
  }

  /** Adds a segment with these batches. */
  addSegment(batches: readonly (readonly Keyed[])[], gzip = false, attributes = 0): void {
    const baseOffset = this.state.endOffset;
    const fd = this.disk.open(segmentPath(DATA, TOPIC, 0, baseOffset), 'write');
    let position = 0;
    for (const records of batches) {
      const input = {
        records: records.map(({ timestamp = 1000, ...record }, i) => ({ ...record, timestamp, headers: [{ key: 'n', value: String(i) }] })),
        attributes: attributes | (gzip ? 1 : 0),
      };
      const batch = gzip ? buildBatch(input, (bytes) => gzipSync(bytes)) : buildBatch(input);
      stampBatch(batch, 0, this.state.endOffset, 3);
      this.disk.write(fd, [batch], position);
      position += batch.length;
      this.state.endOffset += records.length;
    }
    this.disk.close(fd);
    this.state.segments.push({ baseOffset, endOffset: this.state.endOffset, endPosition: position, maxTimestamp: 1000, capacity: 0 });
  }

  /** Where the file of a segment is. */
  pathOf({ baseOffset, revision }: SegmentState): string {
    return segmentPath(DATA, TOPIC, 0, baseOffset, revision);
  }

  /** A pass over all segments, put in force. */
  clean(options: Partial<CleaningPlan> & { keyBytesMax?: number } = {}): CleaningOutcome {
    const { keyBytesMax = 1 << 20, ...rest } = options;
    const plan: CleaningPlan = {
      topicId: TOPIC,
      partition: 0,
      segments: this.state.segments,
      damaged: this.state.damaged,
      dirtyFrom: this.state.cleanedEnd ?? 0,
      revision: ++this.revision,
      segmentBytes: 1 << 20,
      nowMs: 10_000,
      deleteRetentionMs: 500,
      ...rest,
    };
    const outcome = cleanLog(this.disk, DATA, plan, { keyBytesMax, onBytes: () => undefined });
    for (const by of outcome.segments) {
      const replaced = this.state.segments.filter(({ baseOffset }) => baseOffset >= by.baseOffset && baseOffset < by.endOffset);
      this.state.segments.splice(this.state.segments.indexOf(replaced[0] as SegmentState), replaced.length, by);
    }
    this.state.cleanedEnd = outcome.cleanedEnd;
    return outcome;
  }

  /** All records, from offset to offset; fails where batches do not follow each other without a gap. */
  records(): Found[] {
    return this.state.segments.flatMap((segment) => this.recordsOf(segment));
  }

  recordsOf(segment: SegmentState): Found[] {
    return this.batchesOf(segment).flatMap((batch) => {
      const records = openRecords(batch, 0);
      return [...readRecordsFrom(batch, 0, records, 0, records.length)].map(({ key, value, offset, timestamp }) => ({
        offset: Number(offset),
        key: key === null ? null : String(key),
        value: value === null ? null : String(value),
        timestamp: Number(timestamp),
      }));
    });
  }

  batchesOf(segment: SegmentState): Buffer[] {
    const batches: Buffer[] = [];
    const fd = this.disk.open(this.pathOf(segment), 'read');
    let next = segment.baseOffset;
    let position = 0;
    while (position < segment.endPosition) {
      const head = readBatchHead(this.disk, fd, position, segment.endPosition);
      if (head === null || head.baseOffset !== next) throw new Error(`no batch of offset ${next} at ${position}`);
      const batch = Buffer.alloc(head.bytes);
      this.disk.read(fd, batch, 0, head.bytes, position);
      if (!isIntactBatch(batch, head.bytes)) throw new Error(`batch of offset ${next} is not intact`);
      batches.push(batch);
      next = head.lastOffset + 1;
      position += head.bytes;
    }
    this.disk.close(fd);
    if (next !== segment.endOffset) throw new Error(`the segment ends at ${next}, not at ${segment.endOffset}`);
    return batches;
  }

  /** The value of each key that its last record has; keys that were deleted are not in it. */
  latest(): Map<string, string> {
    return latestOf(this.records());
  }
}

/** What a table made of the records holds. */
export function latestOf(records: readonly Keyed[]): Map<string, string> {
  const latest = new Map<string, string>();
  for (const { key, value } of records) {
    if (key === null) continue;
    latest.delete(key);
    if (value !== null) latest.set(key, value);
  }
  return latest;
}
