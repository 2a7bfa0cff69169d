import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, type FrameSink } from '../../../src/main/framing.ts';
import { Landing } from '../../../src/main/landing.ts';
import { Grant, ReceiveRegions } from '../../../src/main/regions.ts';

const KIB = 1024;
const FRAME_BYTES_MAX = 2 * 1024 * KIB;

/** A connection without a socket: `pump` lands bytes as a kernel would, in whatever view the reader gave last. */
class Wire implements FrameSink {
  readonly reader: FrameReader;
  readonly frames: Buffer[] = [];
  readonly grants: Grant[] = [];
  badSize: number | null = null;
  ready = true;
  heldMax = 0;
  private readonly regions: ReceiveRegions;
  private view: Buffer;
  private sent = 0;
  private bytes: Buffer;

  constructor(regions: ReceiveRegions, landing: Landing, bytes: Buffer) {
    this.regions = regions;
    this.bytes = bytes;
    this.reader = new FrameReader(this, regions, landing, FRAME_BYTES_MAX);
    this.view = this.reader.view();
  }

  get exhausted(): boolean {
    return this.sent === this.bytes.length;
  }

  isReady(): boolean {
    return this.ready;
  }

  onFrame(bytes: Buffer, start: number, end: number, grant: Grant | null): void {
    this.frames.push(Buffer.from(bytes.subarray(start, end)));
    if (grant === null) return;
    const own = new Grant();
    grant.moveTo(own);
    this.grants.push(own);
  }

  onBadSize(bytes: number): void {
    this.badSize = bytes;
  }

  onGranted(): void {
    this.reader.proceed();
  }

  /** Lands at most `count` bytes; false if the reader does not want any. */
  pump(count: number): boolean {
    if (!this.reader.canLand || !this.ready || this.exhausted) return false;
    expect(this.view.length).toBeGreaterThan(0);
    const landed = Math.min(count, this.view.length, this.bytes.length - this.sent);
    this.bytes.copy(this.view, 0, this.sent, this.sent + landed);
    this.sent += landed;
    const view = this.view;
    this.reader.landed(view, landed);
    // What another socket lands meanwhile in the shared buffer must not matter.
    if (view.buffer !== this.regions.bytes.buffer) view.fill(0xee);
    this.view = this.reader.view();
    return true;
  }

  releaseAll(): void {
    for (const grant of this.grants.splice(0)) this.regions.release(grant);
  }
}

function regionsOf(budgetBytes: number): ReceiveRegions {
  return new ReceiveRegions({ budgetBytes, requestBytesMax: FRAME_BYTES_MAX, onRoom: () => {} });
}

/** Frames of the given sizes with recognisable bytes, as they go over the wire. Odd ones look like Produce. */
function encode(sizes: readonly number[]): { frames: Buffer[]; wire: Buffer } {
  const frames = sizes.map((size, index) => {
    const frame = Buffer.alloc(size);
    for (let at = 0; at < size; at += 97) frame[at] = (index * 31 + at) & 0xff;
    if (size >= 2) frame.writeInt16BE(index % 2 === 1 ? 0 : 3, 0);
    return frame;
  });
  const wire = Buffer.concat(
    frames.flatMap((frame) => {
      const size = Buffer.alloc(4);
      size.writeInt32BE(frame.length);
      return [size, frame];
    }),
  );
  return { frames, wire };
}

const frameSize = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 3000 }) },
  { weight: 2, arbitrary: fc.integer({ min: 3000, max: 70 * KIB }) },
  { weight: 1, arbitrary: fc.integer({ min: 64 * KIB - 2, max: 64 * KIB + 2 }) },
  { weight: 1, arbitrary: fc.integer({ min: 64 * KIB, max: 1200 * KIB }) },
);

describe('framing', () => {
  it('brings frames of any size, cut anywhere, out whole and in order', () => {
    const chunk = fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 200 * KIB }));
    fc.assert(
      fc.property(
        fc.array(frameSize, { minLength: 1, maxLength: 30 }),
        fc.array(chunk, { minLength: 1, maxLength: 40 }),
        (sizes, chunks) => {
          const { frames, wire } = encode(sizes);
          const regions = regionsOf(8 * 1024 * KIB);
          const connection = new Wire(regions, new Landing(), wire);
          // Byte by byte only where that ends soon.
          const least = Math.floor(wire.length / 3000);
          for (let turn = 0; !connection.exhausted; turn++) {
            if (!connection.pump(chunks[turn % chunks.length]! + least)) {
              connection.releaseAll();
              regions.serve();
            }
          }
          connection.releaseAll();
          regions.serve();
          expect(connection.frames.length).toBe(frames.length);
          for (const [index, frame] of frames.entries()) expect(frame.equals(connection.frames[index]!)).toBe(true);
          connection.releaseAll();
          connection.reader.close();
          expect(regions.usedBytes).toBe(0);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('shares memory and one landing buffer between connections that stop, wait and close at any time, and gets all of it back', () => {
    const step = fc.tuple(fc.nat(7), fc.integer({ min: 1, max: 100 * KIB }), fc.nat(9));
    fc.assert(
      fc.property(
        fc.array(fc.array(frameSize, { maxLength: 12 }), { minLength: 8, maxLength: 8 }),
        fc.array(step, { maxLength: 400 }),
        (all, steps) => {
          const regions = regionsOf(2 * 1024 * KIB);
          const landing = new Landing();
          const inputs = all.map(encode);
          const wires = inputs.map(({ wire }) => new Wire(regions, landing, wire));
          const closed = new Set<Wire>();
          for (const [index, count, what] of steps) {
            const wire = wires[index]!;
            if (what === 0) wire.ready = !wire.ready;
            else if (what === 1) wire.releaseAll();
            else if (what === 2 && count % 50 === 0) {
              wire.reader.close();
              closed.add(wire);
            } else wire.pump(count);
            if (wire.ready && !closed.has(wire)) wire.reader.proceed();
            regions.serve();
          }
          // Everything is taken to its end: nobody may be left waiting for ever.
          for (let round = 0; round < 10_000; round++) {
            let moved = false;
            for (const wire of wires) {
              if (closed.has(wire)) continue;
              wire.ready = true;
              wire.reader.proceed();
              while (wire.pump(64 * KIB)) moved = true;
              if (wire.grants.length > 0) moved = true;
              wire.releaseAll();
            }
            regions.serve();
            if (!moved && regions.waiting === 0) break;
          }
          for (const [index, wire] of wires.entries()) {
            if (closed.has(wire)) wire.releaseAll();
            else expect(wire.frames.length).toBe(inputs[index]!.frames.length);
            for (const [n, frame] of wire.frames.entries()) expect(frame.equals(inputs[index]!.frames[n]!)).toBe(true);
            wire.reader.close();
          }
          expect([regions.usedBytes, regions.waiting]).toEqual([0, 0]);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('takes nothing but the size of a frame that gets no memory', () => {
    const regions = regionsOf(4 * 1024 * KIB);
    const landing = new Landing();
    const hogs = [0, 1, 2].map(() => new Wire(regions, landing, encode([1000 * KIB]).wire));
    for (const hog of hogs) hog.pump(4);
    const late = new Wire(regions, landing, encode([900 * KIB, 900 * KIB]).wire);
    // Scarce from here on: idle readers are given the peek view at their next read.
    late.pump(1);
    late.pump(1);
    late.pump(2);
    expect(late.reader.canLand).toBe(false);
    expect(regions.waiting).toBe(1);
    const other = new Wire(regions, landing, encode([900 * KIB]).wire);
    expect(other.reader.view().length).toBe(4);
  });

  it('refuses sizes that are negative, zero or too large', () => {
    for (const size of [-1, 0, -2147483648, FRAME_BYTES_MAX + 1, 2147483647]) {
      const regions = regionsOf(4 * 1024 * KIB);
      const bytes = Buffer.alloc(20, 1);
      bytes.writeInt32BE(size);
      const wire = new Wire(regions, new Landing(), bytes);
      wire.pump(20);
      expect(wire.badSize).toBe(size);
      expect(wire.frames).toEqual([]);
      expect(wire.reader.view().length).toBeGreaterThan(0);
    }
  });

  it('reads the rest of a large frame straight into its region, and not a byte more', () => {
    const regions = regionsOf(8 * 1024 * KIB);
    const wire = new Wire(regions, new Landing(), encode([300 * KIB, 300 * KIB]).wire);
    wire.pump(4);
    const view = wire.reader.view();
    expect(view.buffer).toBe(regions.bytes.buffer);
    expect(view.length).toBe(300 * KIB);
  });
});
