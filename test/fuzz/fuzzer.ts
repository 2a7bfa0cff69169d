/**
 * A coverage-guided fuzzer: an input that takes the code a new way, or a known way a new number of times, is kept and changed further. So it finds its way through
 * conditions one at a time, where chance alone would have to meet all of them at once. The same seed gives the same inputs.
 *
 * Which ways were taken is in an array of counters that instrumented code adds to (instrument.mjs); this file knows nothing else of the code under test.
 */
import { Prng } from '../../src/lib/prng.ts';

/** One decoder, or what else takes the bytes of strangers. */
export interface FuzzTarget {
  /** Returns for good and malformed bytes alike; whatever it throws is a finding. */
  run(bytes: Buffer): void;
  /** Inputs to begin with; damage near valid bytes reaches deeper than noise. */
  seeds(): readonly Buffer[];
  /** Makes right, in place, what only chance would: a checksum. Behind it there is code that has to cope as well. */
  mend?(bytes: Buffer): void;
}

/** An input for which a target threw. */
export interface Finding {
  readonly input: Buffer;
  readonly error: unknown;
}

export interface FuzzerOptions {
  readonly seed: number;
  /** Added to by instrumented code. */
  readonly counters: Uint8Array;
  /** Nothing is kept: the same changes to the same seeds, without what coverage says. For comparison. */
  readonly blind?: boolean;
  readonly bytesMax?: number;
}

const BYTES_MAX = 4096;
const CHANGES_MAX = 6;
const CORPUS_MAX = 4096;
/** Numbers at which lengths and counts go wrong. */
const EDGES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff];

/** Counts as powers of two: once, twice, up to 4, 8, 16, 32, 128, more. A bit each. */
const BUCKET = Uint8Array.from({ length: 256 }, (_, count) => (count === 0 ? 0 : 1 << Math.min(7, Math.ceil(Math.log2(count)))));

/** See the file header. */
export class Fuzzer {
  readonly corpus: Buffer[] = [];
  runs = 0;
  /** Ways seen so far, each with each order of magnitude. */
  ways = 0;
  private readonly target: FuzzTarget;
  private readonly prng: Prng;
  private readonly counters: Uint8Array;
  private readonly seen: Uint8Array;
  private readonly blind: boolean;
  private readonly bytesMax: number;

  constructor(target: FuzzTarget, options: FuzzerOptions) {
    this.target = target;
    this.prng = new Prng(options.seed);
    this.counters = options.counters;
    this.seen = new Uint8Array(options.counters.length);
    this.blind = options.blind ?? false;
    this.bytesMax = options.bytesMax ?? BYTES_MAX;
  }

  /** Runs the seeds, which must all be taken. */
  begin(): Finding | null {
    const seeds = this.target.seeds();
    for (const seed of seeds) {
      const finding = this.try(Buffer.from(seed));
      if (finding !== null) return finding;
      if (this.blind) this.corpus.push(seed);
    }
    if (this.corpus.length === 0) this.corpus.push(Buffer.alloc(0));
    return null;
  }

  /** Makes and tries the next input. */
  step(): Finding | null {
    return this.try(this.change(this.prng.pick(this.corpus)));
  }

  /** Tries one input, and keeps it if it went a new way. */
  try(input: Buffer): Finding | null {
    if (this.target.mend !== undefined) this.target.mend(input);
    this.counters.fill(0);
    this.runs++;
    try {
      this.target.run(Buffer.from(input));
    } catch (error) {
      return { input, error };
    }
    if (this.isNew() && !this.blind && this.corpus.length < CORPUS_MAX) this.corpus.push(input);
    return null;
  }

  private isNew(): boolean {
    const { counters, seen } = this;
    let isNew = false;
    for (let at = 0; at < counters.length; at++) {
      const count = counters[at] as number;
      if (count === 0) continue;
      const bucket = BUCKET[count] as number;
      if (((seen[at] as number) & bucket) !== 0) continue;
      seen[at]! |= bucket;
      this.ways++;
      isNew = true;
    }
    return isNew;
  }

  private change(input: Buffer): Buffer {
    let bytes = Buffer.from(input);
    for (let left = 1 + this.prng.below(CHANGES_MAX); left > 0; left--) bytes = this.changeOnce(bytes);
    return bytes.length > this.bytesMax ? bytes.subarray(0, this.bytesMax) : bytes;
  }

  private changeOnce(bytes: Buffer): Buffer<ArrayBuffer> {
    const { prng } = this;
    const at = prng.below(bytes.length + 1);
    const rest = bytes.length - at;
    switch (prng.below(rest > 0 ? 10 : 2)) {
      case 0:
        return Buffer.concat([bytes.subarray(0, at), this.noise(1 + prng.below(8)), bytes.subarray(at)]);
      case 1: {
        // A piece of another input.
        const other = prng.pick(this.corpus);
        const from = prng.below(other.length + 1);
        return Buffer.concat([bytes.subarray(0, at), other.subarray(from, from + prng.below(other.length - from + 1)), bytes.subarray(at)]);
      }
      case 2:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + prng.below(Math.min(rest, 16)))]);
      case 3:
        return Buffer.concat([bytes.subarray(0, at + prng.below(Math.min(rest, 32))), bytes.subarray(at)]);
      case 4:
        return Buffer.from(bytes.subarray(0, at));
      case 5: {
        const copy = Buffer.from(bytes);
        copy[at]! ^= 1 << prng.below(8);
        return copy;
      }
      case 6: {
        const copy = Buffer.from(bytes);
        copy[at] = (copy[at] as number) + prng.below(35) - 17;
        return copy;
      }
      case 7: {
        const copy = Buffer.from(bytes);
        const width = prng.pick([1, 2, 4].filter((size) => size <= rest));
        const value = prng.pick(EDGES) % 2 ** (8 * width);
        if (prng.chance(0.5)) copy.writeUIntBE(value, at, width);
        else copy.writeUIntLE(value, at, width);
        return copy;
      }
      default: {
        const copy = Buffer.from(bytes);
        copy[at] = prng.below(256);
        return copy;
      }
    }
  }

  private noise(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.prng.below(256)));
  }
}
