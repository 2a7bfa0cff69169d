/**
 * When a segment is too old to take another batch (`segment.ms`), as Kafka judges it: by the time between its first batch and the one to come, or, where the
 * first one has no timestamp, by the time since it came. So it is an append that ends a segment; a quiet partition keeps its own.
 */
import { readBatchHead } from '../log/batch-reader.ts';
import { DiskError, type Disk } from '../log/disk.ts';
import { Prng } from '../lib/prng.ts';
import { UNKNOWN_AGE, type ShardPartition } from './partition.ts';
import type { SegmentWriter } from './segment-writer.ts';

/** See the file header. */
export class SegmentAge {
  private readonly disk: Disk;
  private readonly segments: SegmentWriter;

  constructor(disk: Disk, segments: SegmentWriter) {
    this.disk = disk;
    this.segments = segments;
  }

  /** Whether the active segment, which holds something, may not take a batch whose largest timestamp is `timestamp` (−1: none). */
  isOver(partition: ShardPartition, timestamp: number, nowMs: number): boolean {
    if (timestamp <= partition.rollAboveTimestamp && nowMs <= partition.rollAfterMs) return false;
    if (partition.rollAboveTimestamp !== UNKNOWN_AGE) return true;
    this.onFirstBatch(partition, this.firstTimestamp(partition), nowMs);
    return timestamp > partition.rollAboveTimestamp || nowMs > partition.rollAfterMs;
  }

  /** The first batch of the active segment has the largest timestamp `timestamp` (−1: none). */
  onFirstBatch(partition: ShardPartition, timestamp: number, nowMs: number): void {
    const limitMs = this.limitMs(partition);
    partition.rollAboveTimestamp = timestamp >= 0 ? timestamp + limitMs : Infinity;
    partition.rollAfterMs = timestamp >= 0 ? Infinity : nowMs + limitMs;
  }

  private limitMs(partition: ShardPartition): number {
    const { config, state } = partition;
    const { segmentJitterMs } = config;
    // Only what is in an older segment is compacted.
    const segmentMs = Math.min(config.segmentMs, config.compaction?.lagMsMax ?? Infinity);
    if (segmentMs === Infinity || segmentJitterMs === 0) return segmentMs;
    // Not random, but different for each segment: partitions that began together do not roll together.
    let seed = Math.imul(state.partition + 1, 0x9e3779b9) ^ (partition.activeSegment()?.baseOffset ?? 0);
    for (let i = 0; i < state.topicId.length; i++) seed = Math.imul(seed, 31) + state.topicId.charCodeAt(i);
    return segmentMs - new Prng(seed).below(Math.min(segmentJitterMs, segmentMs));
  }

  /** From the file; −1 too when it cannot be read. */
  private firstTimestamp(partition: ShardPartition): number {
    try {
      const endPosition = partition.activeSegment()?.endPosition ?? 0;
      return readBatchHead(this.disk, this.segments.active(partition).fd, 0, endPosition)?.maxTimestamp ?? -1;
    } catch (error) {
      if (error instanceof DiskError) return -1;
      throw error;
    }
  }
}
