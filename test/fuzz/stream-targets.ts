/** What cuts bytes into pieces: frames out of a stream, varints, the walk over stored batches. Each is held against the plainest way to do the same. */
import { FrameReader, type FrameSink } from '../../src/main/framing.ts';
import { BatchWalk } from '../../src/main/batch-walk.ts';
import { foreignProtocol } from '../../src/main/foreign-protocol.ts';
import { Landing } from '../../src/main/landing.ts';
import { ReceiveRegions, type Grant } from '../../src/main/regions.ts';
import type { SegmentView } from '../../src/main/segment-view.ts';
import { readUvarint, skipTagSection, UVARINT_BAD } from '../../src/protocol/skip.ts';
import { pushVarint, pushVarlong, readVarint, readVarlong, VARINT_BAD } from '../../src/protocol/varint.ts';
import { ownVectors } from '../golden/vectors.ts';
import type { FuzzTarget } from './fuzzer.ts';

const FRAME_BYTES_MAX = 128 * 1024;

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** Collects frames; stops being ready now and then. */
class Sink implements FrameSink {
  readonly frames: Buffer[] = [];
  badSize: number | null = null;
  private readonly regions: ReceiveRegions;

  constructor(regions: ReceiveRegions) {
    this.regions = regions;
  }

  isReady(): boolean {
    return true;
  }

  onFrame(bytes: Buffer, start: number, end: number, grant: Grant | null): void {
    this.frames.push(Buffer.from(bytes.subarray(start, end)));
    if (grant !== null) this.regions.release(grant);
  }

  onBadSize(bytes: number): void {
    foreignProtocol(bytes);
    this.badSize = bytes;
  }

  onGranted(): void {}
}

let shared: { regions: ReceiveRegions; landing: Landing } | null = null;

/** byte 0: how many bytes land at once at most; then what a client sends. */
const frames: FuzzTarget = {
  seeds: () => {
    const whole = ownVectors.filter(({ kind, of }) => kind === 'frame' && of === 'request').map(({ hex }) => Buffer.from(hex, 'hex'));
    return [0, 1, 3, 200].map((step) => Buffer.concat([Buffer.from([step]), ...whole.slice(0, 4)]));
  },
  run(bytes) {
    shared ??= {
      regions: new ReceiveRegions({ budgetBytes: 4 << 20, requestBytesMax: FRAME_BYTES_MAX, onRoom: () => undefined }),
      landing: new Landing(),
    };
    const sink = new Sink(shared.regions);
    const reader = new FrameReader(sink, shared.regions, shared.landing, FRAME_BYTES_MAX);
    const step = 1 + (bytes[0] ?? 0) * 7;
    for (let at = 1; at < bytes.length && sink.badSize === null && reader.canLand;) {
      const view = reader.view();
      const count = Math.min(step, view.length, bytes.length - at);
      bytes.copy(view, 0, at, at + count);
      reader.landed(view, count);
      at += count;
    }
    reader.close();
    must(shared.regions.usedBytes === 0, 'memory was not given back');
    let at = 1;
    for (const frame of sink.frames) {
      must(
        frame.length === bytes.readInt32BE(at) && frame.equals(bytes.subarray(at + 4, at + 4 + frame.length)),
        'a frame is not what was sent',
      );
      at += 4 + frame.length;
    }
    const size = at + 4 <= bytes.length ? bytes.readInt32BE(at) : null;
    const isBad = size !== null && (size <= 0 || size > FRAME_BYTES_MAX);
    must(isBad === (sink.badSize !== null), 'a size was judged wrongly');
    must(isBad || size === null || at + 4 + size > bytes.length, 'a whole frame was kept back');
  },
};

/** Every kind of varint at the beginning of the bytes. */
const varints: FuzzTarget = {
  seeds: () =>
    ['00', '7f', '8001', 'ffffffff0f', 'ffffffffffffffffff01', '808080808000', '0205010203'].map((hex) => Buffer.from(hex, 'hex')),
  run(bytes) {
    const cursor = { position: 0 };
    const unsigned = readUvarint(bytes, cursor, bytes.length);
    must(cursor.position <= bytes.length, 'read beyond the end');
    if (unsigned !== UVARINT_BAD) must(unsigned >= 0 && unsigned < 2 ** 32, 'not 32 bits');
    cursor.position = 0;
    const signed = readVarint(bytes, cursor, bytes.length);
    if (signed !== VARINT_BAD) {
      const again: number[] = [];
      pushVarint(again, signed);
      must(
        again.length <= cursor.position && readVarint(Buffer.from(again), { position: 0 }, again.length) === signed,
        'another number comes back',
      );
    }
    cursor.position = 0;
    const long = readVarlong(bytes, cursor, bytes.length);
    if (long !== undefined) {
      const again: number[] = [];
      pushVarlong(again, long);
      must(readVarlong(Buffer.from(again), { position: 0 }, again.length) === long, 'another long number comes back');
    }
    cursor.position = 0;
    skipTagSection(bytes, cursor, bytes.length);
    must(cursor.position <= bytes.length, 'skipped beyond the end');
  },
};

const walk = new BatchWalk();

/** Bytes read from a segment whose first batch should have offset 0. */
const batchWalk: FuzzTarget = {
  seeds: () => ownVectors.filter(({ kind }) => kind === 'batch').map(({ hex }) => Buffer.from(hex, 'hex')),
  run(bytes) {
    const segment = { baseOffset: 0, endOffset: 1000, endPosition: bytes.length + 100 } as unknown as SegmentView;
    for (const verify of [false, true]) {
      walk.run(bytes, 0, bytes.length, 0, 0, 900, segment, verify);
      must(walk.validBytes >= 0 && walk.validBytes <= bytes.length, 'walked beyond the end');
      must(walk.nextOffset >= 0 && walk.nextOffset <= 900, 'walked beyond the last offset');
    }
  },
};

export const STREAM_TARGETS = { frames, varints, batchWalk };
