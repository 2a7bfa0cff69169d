/**
 * Main's read side of the disk, the only place of the main thread that touches `node:fs`. Descriptors are opened at first use and kept in a bounded
 * LRU; a read is asynchronous on libuv's pool, or synchronous where the caller knows that the bytes are in the page cache.
 *
 * Always: a descriptor is never closed while a read on it is in flight; at most `descriptorsMax` descriptors are open, except while more than that
 * many reads are in flight. Nothing here writes or syncs: an asynchronous sync on libuv's pool would hold up every read.
 */
import { closeSync, openSync, read as readAsync, readFile, readSync } from 'node:fs';
import { assert } from '../lib/assert.ts';
import { partitionFolder, segmentName } from '../log/layout.ts';
import type { PartitionView } from './partition-view.ts';
import type { Descriptor, SegmentView } from './segment-view.ts';

/** Outcome of a read: bytes read (fewer than asked for only at the end of the file), or an error. */
export type ReadCallback = (error: Error | null, bytesRead: number) => void;

/** See the file header. */
export class SegmentReader {
  private readonly dataDir: string;
  private readonly descriptorsMax: number;
  private newest: Descriptor | null = null;
  private oldest: Descriptor | null = null;
  private openCount = 0;
  private closed = false;

  /** @param dataDir the broker's data folder @param descriptorsMax most descriptors kept open */
  constructor(dataDir: string, descriptorsMax = 512) {
    this.dataDir = dataDir;
    this.descriptorsMax = descriptorsMax;
  }

  /** Descriptors open now. */
  get openDescriptors(): number {
    return this.openCount;
  }

  /** Folder of a partition's files. */
  folderOf(view: PartitionView): string {
    return partitionFolder(this.dataDir, view.topic.id, view.partition);
  }

  /** Path of a file of a segment. */
  pathOf(view: PartitionView, segment: SegmentView, extension: 'log' | 'index'): string {
    return `${this.folderOf(view)}/${segmentName(segment.baseOffset, segment.revision)}.${extension}`;
  }

  /**
   * Reads `length` bytes at `position` of the segment into `target` at `at`; fewer only at the end of the file. The callback runs in a later task.
   * Errors are those of open and read.
   */
  read(
    view: PartitionView,
    segment: SegmentView,
    target: Buffer,
    at: number,
    length: number,
    position: number,
    callback: ReadCallback,
  ): void {
    let descriptor: Descriptor;
    try {
      descriptor = this.open(view, segment);
    } catch (error) {
      setImmediate(callback, error as Error, 0);
      return;
    }
    descriptor.inFlight++;
    let done = 0;
    const step = (error: Error | null, bytesRead: number): void => {
      done += bytesRead;
      // A short read that is not the end of the file is legal; the kernel just likes another call.
      if (error === null && bytesRead > 0 && done < length) {
        readAsync(descriptor.fd, target, at + done, length - done, position + done, step);
        return;
      }
      descriptor.inFlight--;
      if (descriptor.closing !== null && descriptor.inFlight === 0) this.close(descriptor);
      else this.evict();
      callback(error, done);
    };
    readAsync(descriptor.fd, target, at, length, position, step);
  }

  /** The same at once, for bytes that are in the page cache for certain (the tail of an active segment). Returns the bytes read; throws on errors. */
  readNow(view: PartitionView, segment: SegmentView, target: Buffer, at: number, length: number, position: number): number {
    const descriptor = this.open(view, segment);
    let done = 0;
    while (done < length) {
      const bytesRead = readSync(descriptor.fd, target, at + done, length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return done;
  }

  /** Reads a whole small file (an index). */
  readSmallFile(path: string, callback: (error: Error | null, bytes: Buffer | null) => void): void {
    readFile(path, (error, bytes) => callback(error, error === null ? bytes : null));
  }

  /** Closes main's descriptor of a segment that no longer belongs to a log; `callback` runs once no read is in flight and it is closed. */
  retire(segment: SegmentView, callback: () => void): void {
    segment.retired = true;
    const descriptor = segment.descriptor;
    if (descriptor === null) {
      callback();
      return;
    }
    (descriptor.closing ??= []).push(callback);
    if (descriptor.inFlight === 0) this.close(descriptor);
  }

  /** {@link retire} for many segments. */
  retireAll(segments: readonly SegmentView[], callback: () => void): void {
    let waiting = 1;
    const done = (): void => {
      if (--waiting === 0) callback();
    };
    for (const segment of segments) {
      waiting++;
      this.retire(segment, done);
    }
    done();
  }

  /** Closes everything that is not being read, and opens nothing any more: the broker stops. */
  closeAll(): void {
    this.closed = true;
    for (let descriptor = this.oldest; descriptor !== null;) {
      const next: Descriptor | null = descriptor.newer;
      descriptor.closing ??= [];
      if (descriptor.inFlight === 0) this.close(descriptor);
      descriptor = next;
    }
  }

  private open(view: PartitionView, segment: SegmentView): Descriptor {
    assert(!segment.retired, 'no read begins on a retired segment');
    let descriptor = segment.descriptor;
    if (descriptor !== null) {
      if (descriptor !== this.newest) {
        this.unlink(descriptor);
        this.linkNewest(descriptor);
      }
      return descriptor;
    }
    if (this.closed) throw new Error('the broker stops');
    segment.path ??= this.pathOf(view, segment, 'log');
    const fd = openSync(segment.path, 'r');
    descriptor = { fd, segment, inFlight: 0, closing: null, newer: null, older: null };
    segment.descriptor = descriptor;
    this.openCount++;
    this.linkNewest(descriptor);
    this.evict();
    return descriptor;
  }

  private evict(): void {
    for (let descriptor = this.oldest; descriptor !== null && this.openCount > this.descriptorsMax;) {
      const next: Descriptor | null = descriptor.newer;
      if (descriptor.inFlight === 0 && descriptor !== this.newest) this.close(descriptor);
      descriptor = next;
    }
  }

  private close(descriptor: Descriptor): void {
    assert(descriptor.inFlight === 0, 'a descriptor is not closed under a read');
    this.unlink(descriptor);
    descriptor.segment.descriptor = null;
    this.openCount--;
    closeSync(descriptor.fd);
    const callbacks = descriptor.closing;
    descriptor.closing = null;
    if (callbacks !== null) for (const callback of callbacks) callback();
  }

  private linkNewest(descriptor: Descriptor): void {
    descriptor.older = this.newest;
    descriptor.newer = null;
    if (this.newest !== null) this.newest.newer = descriptor;
    this.newest = descriptor;
    if (this.oldest === null) this.oldest = descriptor;
  }

  private unlink(descriptor: Descriptor): void {
    if (descriptor.newer !== null) descriptor.newer.older = descriptor.older;
    else this.newest = descriptor.older;
    if (descriptor.older !== null) descriptor.older.newer = descriptor.newer;
    else this.oldest = descriptor.newer;
    descriptor.newer = null;
    descriptor.older = null;
  }
}
