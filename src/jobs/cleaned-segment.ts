/** The file that compaction writes in place of one segment or several. Synced in steps as it grows, so that no sync of it holds up a journal's for long. */
import type { Disk } from '../log/disk.ts';
import type { SegmentState } from '../log/partition-state.ts';
import { lastOffset, maxTimestamp } from '../protocol/record-batch.ts';
import { BATCH_OFFSETS_MAX, emptyBatch } from './clean-batch.ts';

const WRITE_BYTES = 1 << 20;
/** Unsynced bytes at most; see SYNC_STEP_BYTES of the shards. */
const SYNC_BYTES = 8 << 20;

/** See the file header. Throws DiskError. */
export class CleanedSegment {
  readonly path: string;
  /** Bytes so far. */
  bytes = 0;
  private readonly disk: Disk;
  private readonly onWrite: (bytes: number) => void;
  private readonly fd: number;
  private readonly baseOffset: number;
  private nextOffset: number;
  private leaderEpoch = -1;
  private maxTimestamp = -1;
  private readonly buffer = Buffer.allocUnsafeSlow(WRITE_BYTES);
  private buffered = 0;
  private unsynced = 0;

  /** Begins the file anew, whatever a pass that came to no end has left there. */
  constructor(disk: Disk, path: string, baseOffset: number, onWrite: (bytes: number) => void) {
    this.disk = disk;
    this.path = path;
    this.baseOffset = this.nextOffset = baseOffset;
    this.onWrite = onWrite;
    disk.unlink(path);
    this.fd = disk.open(path, 'write');
  }

  /** Adds the batch of `length` bytes at `at`. Offsets left out since the last one get an empty batch. */
  add(bytes: Buffer, at: number, length: number, base: number, leaderEpoch: number): void {
    this.leaderEpoch = leaderEpoch;
    this.fillTo(base);
    this.write(bytes, at, length);
    this.nextOffset = lastOffset(bytes, at) + 1;
    this.maxTimestamp = Math.max(this.maxTimestamp, maxTimestamp(bytes, at));
  }

  /** Ends the segment at `endOffset`; its bytes are on disk on return. The name is the caller's to sync. */
  finish(endOffset: number, revision: number): SegmentState {
    this.fillTo(endOffset);
    this.flush();
    this.disk.fdatasync(this.fd);
    const { baseOffset, bytes: endPosition } = this;
    return { baseOffset, endOffset, endPosition, maxTimestamp: this.maxTimestamp, capacity: 0, revision };
  }

  close(): void {
    this.disk.close(this.fd);
  }

  private fillTo(offset: number): void {
    while (this.nextOffset < offset) {
      const to = Math.min(offset, this.nextOffset + BATCH_OFFSETS_MAX);
      const batch = emptyBatch(this.nextOffset, to, this.leaderEpoch);
      this.write(batch, 0, batch.length);
      this.nextOffset = to;
    }
  }

  private write(bytes: Buffer, at: number, length: number): void {
    if (this.buffered + length > WRITE_BYTES) this.flush();
    this.bytes += length;
    if (length > WRITE_BYTES) return this.put(bytes.subarray(at, at + length), this.bytes - length);
    bytes.copy(this.buffer, this.buffered, at, at + length);
    this.buffered += length;
  }

  private flush(): void {
    if (this.buffered > 0) this.put(this.buffer.subarray(0, this.buffered), this.bytes - this.buffered);
    this.buffered = 0;
  }

  private put(bytes: Buffer, position: number): void {
    this.disk.write(this.fd, [bytes], position);
    this.onWrite(bytes.length);
    this.unsynced += bytes.length;
    if (this.unsynced < SYNC_BYTES) return;
    this.disk.fdatasync(this.fd);
    this.unsynced = 0;
  }
}
