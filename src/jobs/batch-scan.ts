/**
 * Reads a segment batch by batch, in large pieces. Batches must be where the batch before says and follow it without a gap: what does not fit ends the scan, for
 * what lies behind cannot be told apart from damage.
 */
import type { Disk } from '../log/disk.ts';
import type { SegmentState } from '../log/partition-state.ts';
import { baseOffset, BATCH_HEADER_BYTES, batchBytes, lastOffsetDelta, MAGIC, magic } from '../protocol/record-batch.ts';

const CHUNK_BYTES = 1 << 20;

/** See the file header. */
export class BatchScan {
  /** The batch found last: `bytes` of `buffer` at `at`. */
  buffer: Buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  at = 0;
  bytes = 0;
  /** Its first and last offset. */
  base = 0;
  last = -1;
  /** The scan has ended before the segment did. */
  damaged = false;
  private readonly disk: Disk;
  private readonly onRead: (bytes: number) => void;
  private fd = -1;
  private segment: SegmentState | null = null;
  /** Place in the segment of the next batch, and of the buffer. */
  private position = 0;
  private chunkPosition = 0;
  private chunkLength = 0;

  /** @param onRead told how much was read, for whoever limits it */
  constructor(disk: Disk, onRead: (bytes: number) => void) {
    this.disk = disk;
    this.onRead = onRead;
  }

  /** Begins with the first batch of the segment whose file is `fd`. */
  begin(fd: number, segment: SegmentState): void {
    this.fd = fd;
    this.segment = segment;
    this.position = this.chunkPosition = this.chunkLength = 0;
    this.last = segment.baseOffset - 1;
    this.damaged = false;
  }

  /** Goes to the next batch; false at the end. Its CRC is not checked. Throws DiskError. */
  next(): boolean {
    const segment = this.segment as SegmentState;
    if (this.position >= segment.endPosition) {
      this.damaged = this.last + 1 !== segment.endOffset;
      return false;
    }
    this.damaged = true;
    if (!this.load(BATCH_HEADER_BYTES)) return false;
    const { buffer } = this;
    const bytes = batchBytes(buffer, this.at);
    const base = baseOffset(buffer, this.at);
    const delta = lastOffsetDelta(buffer, this.at);
    if (magic(buffer, this.at) !== MAGIC || bytes < BATCH_HEADER_BYTES || base !== this.last + 1 || delta < 0) return false;
    if (base + delta >= segment.endOffset || !this.load(bytes)) return false;
    this.bytes = bytes;
    this.base = base;
    this.last = base + delta;
    this.position += bytes;
    this.damaged = false;
    return true;
  }

  /** Makes `length` bytes at the position available at `at`. */
  private load(length: number): boolean {
    const { endPosition } = this.segment as SegmentState;
    if (this.position + length > endPosition) return false;
    if (this.position < this.chunkPosition || this.position + length > this.chunkPosition + this.chunkLength) {
      const wanted = Math.min(Math.max(CHUNK_BYTES, length), endPosition - this.position);
      if (wanted > this.buffer.length) this.buffer = Buffer.allocUnsafeSlow(wanted);
      this.chunkLength = this.disk.read(this.fd, this.buffer, 0, wanted, this.position);
      this.chunkPosition = this.position;
      this.onRead(this.chunkLength);
    }
    this.at = this.position - this.chunkPosition;
    return this.at + length <= this.chunkLength;
  }
}
