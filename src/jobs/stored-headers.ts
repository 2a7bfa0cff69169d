/**
 * Headers and batches of a segment file, for whoever has no index to go by. A header counts if it is possible in this segment; whether the batch is intact is asked
 * apart, and neither says that it belongs to the log: what was never written in a recycled segment is its previous owner's, intact as well.
 *
 * Looking is bounded: records may hold whatever their producer likes, so a file can be full of what looks like batches. What was read in vain beyond
 * {@link lookBytesMax} ends the search, and what it would have found later stays unfound. Lengths are those of damaged headers, too: no batch is in memory as a whole.
 */
import type { Disk } from '../log/disk.ts';
import { crc32c } from '../protocol/crc32c.ts';
import {
  ATTRIBUTES_POSITION,
  BATCH_HEADER_BYTES,
  baseOffset,
  batchBytes,
  crc,
  LAST_OFFSET_DELTA_POSITION,
  lastOffsetDelta,
  MAGIC,
  MAGIC_POSITION,
  magic,
  maxTimestamp,
} from '../protocol/record-batch.ts';

const CHUNK_BYTES = 1 << 20;
const INT32_MAX = 2 ** 31 - 1;
/**
 * Of the four fields of a damaged header that place a batch, so many must still be right before its CRC is computed. Of the last batch of a chain base offset and magic
 * are, whatever is found behind.
 */
const FIELDS_RIGHT_MIN = 3;
/** Batches whose CRC can be asked for with several ends without beginning anew: the last one and the break of two chains. */
const SUMS_MAX = 4;

/** The part of a file that is a segment: bytes [0, endPosition) hold the offsets [baseOffset, endOffset). */
export interface Extent {
  readonly baseOffset: number;
  readonly endPosition: number;
  readonly endOffset: number;
}

/** Bytes that are read of a segment at most, while batches are looked for: some passes over it, and enough for small ones. */
export function lookBytesMax(endPosition: number): number {
  return 4 * endPosition + 64 * CHUNK_BYTES;
}

/** CRC-32C of a batch up to some place behind its header. */
interface Sum {
  readonly position: number;
  readonly lastOffsetDelta: number;
  crc: number;
  to: number;
}

/** See the file header. */
export class StoredHeaders {
  /** Place and base offset of the header gone to last. */
  position = 0;
  base = 0;
  /** Where the batch behind it lies. */
  nextPosition = 0;
  nextOffset = 0;
  /** ms; −1 none. */
  maxTimestamp = -1;
  private readonly disk: Disk;
  private readonly fd: number;
  private readonly extent: Extent;
  private readonly chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  private chunkPosition = 0;
  private chunkLength = 0;
  private lookBytesLeft: number;
  private readonly body = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  /** The one asked for last at the end. */
  private sums: Sum[] = [];

  constructor(disk: Disk, fd: number, extent: Extent) {
    this.disk = disk;
    this.fd = fd;
    this.extent = extent;
    this.lookBytesLeft = lookBytesMax(extent.endPosition);
  }

  /** Too much was read in vain: what is not found may be there. */
  get isExhausted(): boolean {
    return this.lookBytesLeft <= 0;
  }

  /** Goes to the header at `position`; false if none is possible there. */
  goTo(position: number): boolean {
    const { extent, chunk } = this;
    const at = this.load(position);
    if (at === -1 || magic(chunk, at) !== MAGIC) return false;
    const base = baseOffset(chunk, at);
    const delta = lastOffsetDelta(chunk, at);
    const bytes = batchBytes(chunk, at);
    if (base < extent.baseOffset || delta < 0 || base + delta >= extent.endOffset) return false;
    if (bytes < BATCH_HEADER_BYTES || position + bytes > extent.endPosition) return false;
    this.position = position;
    this.base = base;
    this.nextPosition = position + bytes;
    this.nextOffset = base + delta + 1;
    this.maxTimestamp = maxTimestamp(chunk, at);
    return true;
  }

  /** Goes to the first intact batch at or behind `from`; false: there is none, or too much was read in vain. */
  find(from: number): boolean {
    let position = from;
    while (this.lookBytesLeft > 0) {
      const at = this.load(position);
      if (at === -1) return false;
      // The magic byte first: it rules out most places cheaply.
      const found = this.chunk.subarray(0, this.chunkLength).indexOf(MAGIC, at + MAGIC_POSITION);
      if (found === -1) {
        position = this.chunkPosition + this.chunkLength - MAGIC_POSITION;
        continue;
      }
      position = this.chunkPosition + found - MAGIC_POSITION;
      if (this.goTo(position) && this.isIntact(position, this.nextPosition)) return true;
      position++;
    }
    return false;
  }

  /** Whether bytes [position, nextPosition) are one batch with the right CRC. */
  isIntact(position: number, nextPosition: number): boolean {
    const header = this.peek(position);
    if (header === null || batchBytes(header, 0) !== nextPosition - position || magic(header, 0) !== MAGIC) return false;
    const expected = crc(header, 0);
    return this.sum(crc32c(header.subarray(ATTRIBUTES_POSITION)), position + BATCH_HEADER_BYTES, nextPosition) === expected;
  }

  /** What the header at `position` says of the length of its batch, however damaged; 0 where no header fits in, or says less than its own. */
  lengthAt(position: number): number {
    const header = this.peek(position);
    const bytes = header === null ? 0 : batchBytes(header, 0);
    return bytes < BATCH_HEADER_BYTES ? 0 : bytes;
  }

  /**
   * Whether one batch of offsets [offset, nextOffset) and nothing else lies in bytes [position, nextPosition), although its header does not fit: with what places it
   * (base offset, length, magic, last offset delta) set right, its CRC is. Any damage to those fields passes. Another log's batch does not, unless it has as many
   * offsets in as many bytes, and then it shows the same: that exactly one batch of this log lay there.
   */
  isOneBatch(position: number, offset: number, nextPosition: number, nextOffset: number): boolean {
    const bytes = nextPosition - position;
    const delta = nextOffset - offset - 1;
    if (bytes < BATCH_HEADER_BYTES || bytes > INT32_MAX || delta < 0 || delta > INT32_MAX) return false;
    const header = this.peek(position);
    if (header === null) return false;
    const right = [
      baseOffset(header, 0) === offset,
      batchBytes(header, 0) === bytes,
      magic(header, 0) === MAGIC,
      lastOffsetDelta(header, 0) === delta,
    ];
    // Otherwise the whole of a lost range would be read for each batch found behind it.
    if (right.filter(Boolean).length < FIELDS_RIGHT_MIN) return false;
    return this.sumWith(header, delta, position, nextPosition) === crc(header, 0);
  }

  /** CRC of the batch at `position` that would end at `nextPosition` and have this last offset delta; −1 as in {@link sum}. */
  private sumWith(header: Buffer, delta: number, position: number, nextPosition: number): number {
    let at = this.sums.findIndex((known) => known.position === position && known.lastOffsetDelta === delta && known.to <= nextPosition);
    if (at === -1) {
      const fields = Buffer.from(header);
      fields.writeInt32BE(delta, LAST_OFFSET_DELTA_POSITION);
      const before = crc32c(fields.subarray(ATTRIBUTES_POSITION));
      at = this.sums.push({ position, lastOffsetDelta: delta, crc: before, to: position + BATCH_HEADER_BYTES }) - 1;
    }
    const [known] = this.sums.splice(at, 1) as [Sum];
    const value = this.sum(known.crc, known.to, nextPosition);
    if (value === -1) return -1;
    known.crc = value;
    known.to = nextPosition;
    this.sums = [...this.sums, known].slice(-SUMS_MAX);
    return value;
  }

  /** CRC-32C of bytes [from, to), going on from that of what comes before them; −1: the file ends before, or too much was read in vain. */
  private sum(before: number, from: number, to: number): number {
    let value = before;
    for (let at = from; at < to; at += CHUNK_BYTES) {
      if (!this.read(this.body, at, Math.min(CHUNK_BYTES, to - at))) return -1;
      value = crc32c(this.body.subarray(0, Math.min(CHUNK_BYTES, to - at)), value);
    }
    return value;
  }

  /** The bytes of a header at `position`, or null when there are not as many. The chunk stays: a search asks of places far behind it. */
  private peek(position: number): Buffer | null {
    const at = position - this.chunkPosition;
    if (at >= 0 && at + BATCH_HEADER_BYTES <= this.chunkLength) return this.chunk.subarray(at, at + BATCH_HEADER_BYTES);
    if (position + BATCH_HEADER_BYTES > this.extent.endPosition) return null;
    const header = Buffer.allocUnsafe(BATCH_HEADER_BYTES);
    return this.read(header, position, BATCH_HEADER_BYTES) ? header : null;
  }

  /** Reads `length` bytes at `position` into `target`; false when the file ends before, or too much was read in vain. */
  private read(target: Buffer, position: number, length: number): boolean {
    if (this.isExhausted) return false;
    this.lookBytesLeft -= length;
    return this.disk.read(this.fd, target, 0, length, position) === length;
  }

  /** Makes the bytes of a header at `position` available; their place in the chunk, or −1 when there are not as many. */
  private load(position: number): number {
    const { endPosition } = this.extent;
    if (position + BATCH_HEADER_BYTES > endPosition) return -1;
    if (position < this.chunkPosition || position + BATCH_HEADER_BYTES > this.chunkPosition + this.chunkLength) {
      const wanted = Math.min(CHUNK_BYTES, endPosition - position);
      this.chunkLength = this.disk.read(this.fd, this.chunk, 0, wanted, position);
      this.chunkPosition = position;
      this.lookBytesLeft -= wanted;
    }
    return position + BATCH_HEADER_BYTES <= this.chunkPosition + this.chunkLength ? position - this.chunkPosition : -1;
  }
}
