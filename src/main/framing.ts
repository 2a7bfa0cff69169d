/**
 * Cuts what lands from one socket into frames, and asks for the memory they need. Main only; knows no socket.
 *
 *   size (4 bytes) ──► small and whole? ──► a place in a chunk, or a copy on the heap if it is no Produce
 *                      otherwise        ──► a region for all of it is granted ──► the rest lands in it ──► frame
 *                                           or the reader waits in line, keeping what has landed so far (`held`: a few kilobytes at most)
 *
 * Frames are delivered in the order of their bytes, each contiguous and without its size.
 *
 * Always: frameBytes < 0 ⇔ the size of the current frame is not complete; granted ⇒ 0 ≤ filled ≤ frameBytes; waiting ⇒ not granted.
 */
import { assert } from '../lib/assert.ts';
import { ApiKey } from '../protocol/api-versions.ts';
import type { Landing } from './landing.ts';
import { CHUNKED_FRAME_BYTES_MAX, Grant, type MemoryWaiter, type ReceiveRegions } from './regions.ts';

/** Below this, the rest of a frame lands with what follows it and is copied: cheaper than a read of its own. */
const DIRECT_BYTES_MIN = 8 * 1024;
/** After a frame of at least this many bytes another such is expected. */
const PEEK_FRAME_BYTES_MIN = 16 * 1024;
/** Frames that are no Produce may wait long (a Fetch, a JoinGroup): up to this size they are copied to the heap, so that they pin no chunk. */
const HEAP_FRAME_BYTES_MAX = 4 * 1024;
const SIZE_BYTES = 4;

/** Who gets the frames. */
export interface FrameSink {
  /** Whether another frame may be delivered now. If not, `proceed` is called once it may. */
  isReady(): boolean;
  /** A frame in `bytes` from `start` to `end`. With a grant, whoever gets the frame takes it over (`moveTo`) and releases it. */
  onFrame(bytes: Buffer, start: number, end: number, grant: Grant | null): void;
  /** The sender announced a frame that is none, or too large. Nothing is delivered after that. */
  onBadSize(bytes: number): void;
  /** Memory came after a wait: `proceed`. */
  onGranted(): void;
}

/** See the file header. */
export class FrameReader implements MemoryWaiter {
  readonly grant = new Grant();
  /** Bytes that landed since the owner last set it to 0. */
  landedBytes = 0;
  private readonly sink: FrameSink;
  private readonly regions: ReceiveRegions;
  private readonly landing: Landing;
  private readonly frameBytesMax: number;
  private sizeBytes = 0;
  private size = 0;
  private frameBytes = -1;
  private granted = false;
  private filled = 0;
  private waiting = false;
  private closed = false;
  /** The view of our region that the socket reads into, if it does. */
  private regionView: Buffer | null = null;
  private hasFullView = false;
  private viewFilled = false;
  private expectLarge = false;
  /** What landed and could not be dealt with, from heldAt on. */
  private held: Buffer | null = null;
  private heldAt = 0;

  constructor(sink: FrameSink, regions: ReceiveRegions, landing: Landing, frameBytesMax: number) {
    this.sink = sink;
    this.regions = regions;
    this.landing = landing;
    this.frameBytesMax = frameBytesMax;
  }

  get wantedBytes(): number {
    return this.frameBytes;
  }

  /** Whether reading on makes sense: no memory is waited for and nothing is held. */
  get canLand(): boolean {
    return !this.waiting && this.held === null && (!this.granted || this.filled < this.frameBytes);
  }

  /** Whether a frame has memory and its sender owes the rest. */
  get isOwed(): boolean {
    return this.granted && this.filled < this.frameBytes;
  }

  /** Whether a frame has memory, all of it come or not, and was not delivered yet. */
  get hasMemory(): boolean {
    return this.granted;
  }

  /** Whether a part of a frame has come. */
  get isInsideFrame(): boolean {
    return this.sizeBytes > 0 || this.frameBytes >= 0;
  }

  /** The view for the next read. Called after every read, also the last one. */
  view(): Buffer {
    this.regionView = null;
    if (this.closed) return this.landing.idle;
    if (this.isOwed) {
      const direct = this.frameBytes >= PEEK_FRAME_BYTES_MIN || this.frameBytes - this.filled >= DIRECT_BYTES_MIN;
      if (direct || this.regions.scarce) return this.directView();
    } else if (this.waiting || this.expectLarge || this.regions.scarce) return this.landing.peek;
    if (this.viewFilled && (this.hasFullView || this.landing.tryTakeFull())) {
      this.hasFullView = true;
      return this.landing.full;
    }
    return this.landing.idle;
  }

  /** `count` bytes lie at the beginning of `view`, which {@link view} returned. */
  landed(view: Buffer, count: number): void {
    if (this.closed) return;
    this.landedBytes += count;
    if (view === this.regionView) {
      this.filled += count;
      assert(this.filled <= this.frameBytes, 'landed beyond the frame');
      if (this.filled === this.frameBytes) this.deliver();
      return;
    }
    this.viewFilled = count === view.length;
    const at = this.consume(view, 0, count);
    if (at < count) this.hold(view, at, count);
    else this.returnFullView();
  }

  /** Goes on with what is held, after `isReady` or `onGranted`. */
  proceed(): void {
    if (this.closed || this.waiting) return;
    if (this.granted && this.filled === this.frameBytes && !this.deliver()) return;
    const held = this.held;
    if (held === null) return;
    const at = this.consume(held, this.heldAt, held.length);
    if (this.closed) return;
    this.heldAt = at;
    if (at < held.length) return;
    this.held = null;
    this.returnFullView();
  }

  onGranted(): void {
    this.waiting = false;
    this.granted = true;
    this.filled = 0;
    this.landedBytes = 0;
    this.sink.onGranted();
  }

  /** Gives everything back. The socket must not land any more. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    if (this.waiting) this.regions.cancel(this);
    if (this.granted) this.regions.release(this.grant);
    this.waiting = false;
    this.granted = false;
    this.held = null;
    this.returnFullView();
  }

  private directView(): Buffer {
    const from = this.grant.position + this.filled;
    this.regionView = this.regions.bytes.subarray(from, this.grant.position + this.frameBytes);
    return this.regionView;
  }

  /** Deals with input[at, end) as far as it goes and returns where it stopped. */
  private consume(input: Buffer, at: number, end: number): number {
    while (at < end && !this.closed) {
      if (this.frameBytes < 0) {
        at = this.consumeSize(input, at, end);
        if (this.frameBytes < 0) return at;
        // Its bytes are needed below; those of the next read may complete it.
        if (at === end) return this.offerGrant(at);
      }
      if (!this.granted) {
        if (!this.sink.isReady()) return at;
        const bytes = this.frameBytes;
        if (end - at >= bytes && this.deliverWhole(input, at)) {
          at += bytes;
          continue;
        }
        if (!this.acquire()) return at;
      }
      const count = Math.min(this.frameBytes - this.filled, end - at);
      input.copy(this.regions.bytes, this.grant.position + this.filled, at, at + count);
      this.filled += count;
      at += count;
      if (this.filled === this.frameBytes && !this.deliver()) return at;
    }
    return at;
  }

  private consumeSize(input: Buffer, from: number, end: number): number {
    let at = from;
    while (this.sizeBytes < SIZE_BYTES && at < end) {
      this.size = (this.size << 8) | (input[at++] as number);
      this.sizeBytes++;
    }
    if (this.sizeBytes < SIZE_BYTES) return at;
    if (this.size <= 0 || this.size > this.frameBytesMax) {
      this.sink.onBadSize(this.size);
      this.close();
      return end;
    }
    this.frameBytes = this.size;
    return at;
  }

  /** The size is known and nothing else: a large frame asks for its region at once, so that the next read goes straight into it. */
  private offerGrant(at: number): number {
    if (this.frameBytes >= DIRECT_BYTES_MIN && this.sink.isReady()) this.acquire();
    return at;
  }

  private acquire(): boolean {
    if (!this.regions.tryGrant(this.grant, this.frameBytes)) {
      this.waiting = true;
      this.regions.wait(this);
      return false;
    }
    this.granted = true;
    this.filled = 0;
    return true;
  }

  /** Delivers a frame that lies in `input` as a whole, without a region of its own. False: it needs one. */
  private deliverWhole(input: Buffer, at: number): boolean {
    const bytes = this.frameBytes;
    const end = at + bytes;
    const isProduce = bytes >= 2 && ((input[at] as number) << 8) + (input[at + 1] as number) === ApiKey.PRODUCE;
    if (!isProduce && bytes <= HEAP_FRAME_BYTES_MAX) {
      const copy = Buffer.allocUnsafe(bytes);
      input.copy(copy, 0, at, end);
      this.nextFrame();
      this.sink.onFrame(copy, 0, bytes, null);
      return true;
    }
    if (bytes > CHUNKED_FRAME_BYTES_MAX || !this.regions.tryPlace(this.grant, bytes)) return false;
    const position = this.grant.position;
    input.copy(this.regions.bytes, position, at, end);
    this.nextFrame();
    this.sink.onFrame(this.regions.bytes, position, position + bytes, this.grant);
    return true;
  }

  /** Delivers the granted frame, now complete. False: not now. */
  private deliver(): boolean {
    if (!this.sink.isReady()) return false;
    const { position, bytes } = this.grant;
    this.granted = false;
    this.nextFrame();
    this.sink.onFrame(this.regions.bytes, position, position + bytes, this.grant);
    return true;
  }

  private nextFrame(): void {
    this.expectLarge = this.frameBytes >= PEEK_FRAME_BYTES_MIN;
    this.frameBytes = -1;
    this.sizeBytes = 0;
    this.size = 0;
    this.filled = 0;
  }

  private hold(view: Buffer, at: number, end: number): void {
    if (this.closed) return;
    assert(this.held === null, 'landed while something was held');
    this.held = Buffer.allocUnsafeSlow(end - at);
    this.heldAt = 0;
    view.copy(this.held, 0, at, end);
  }

  private returnFullView(): void {
    if (!this.hasFullView) return;
    this.hasFullView = false;
    this.landing.returnFull();
  }
}
