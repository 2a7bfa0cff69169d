/**
 * Damage in recycled segments: where own bytes were lost, batches of the log that had the file before stand, intact and of offsets that this log has too. They are
 * never served, and own batches around them are, byte for byte.
 */
import fs from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { Prng } from '../../../src/lib/prng.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { readAll } from '../../support/read-all.ts';
import { ReadBench, settle, type LogWriter } from '../../support/read-bench.ts';

let bench: ReadBench | undefined;
afterEach(() => {
  bench?.close();
  bench = undefined;
});

/** Records of a batch, and bytes of each of their values. */
type Size = readonly [records: number, valueBytes: number];

const OWN: readonly Size[] = Array.from({ length: 60 }, () => [3, 100] as const);

interface Foreign {
  readonly bytes: Buffer;
  /** Positions and offsets of its batches, and of its end. */
  readonly places: readonly { readonly position: number; readonly offset: number }[];
}

/** Batches of another log that begin with offset `base` at position `shift`. */
function foreignChain(base: number, sizes: readonly Size[], shift = 0): Foreign {
  const pieces: Buffer[] = [Buffer.alloc(shift, 0xaa)];
  const places = [{ position: shift, offset: base }];
  for (const [records, valueBytes] of sizes) {
    const { position, offset } = places.at(-1)!;
    const list = Array.from({ length: records }, (_, i) => ({ value: Buffer.alloc(valueBytes, ((offset + i) ^ 0x55) & 0xff) }));
    const batch = buildBatch({ records: list, baseOffset: offset, partitionLeaderEpoch: 3 });
    pieces.push(batch);
    places.push({ position: position + batch.length, offset: offset + records });
  }
  return { bytes: Buffer.concat(pieces), places };
}

/** Batches [from, to) of a log. */
type Range = readonly [from: number, to: number];

/** A log whose first segment has a previous owner. */
class RecycledLog {
  readonly log: LogWriter;
  private readonly foreign: Buffer;

  /** @param burnt how many offsets were given out and never stored before each batch */
  constructor(foreign: Buffer, sizes: readonly Size[], indexIntervalBytes: number, burnt: readonly number[] = []) {
    bench = new ReadBench({ indexIntervalBytes });
    [this.log] = bench.addTopic('orders') as [LogWriter];
    this.foreign = foreign;
    this.log.roll();
    fs.writeFileSync(this.log.path(0), foreign);
    for (const [i, [records, valueBytes]] of sizes.entries()) {
      this.burn(burnt[i] ?? 0);
      this.log.append(records, valueBytes);
    }
  }

  /** What was written of batches [from, to) never reached the disk. `refused`: recovery knows that. */
  lose([from, to]: Range, refused: boolean): void {
    const first = this.log.batches[from]!;
    const last = this.log.batches[to - 1]!;
    const end = last.position + last.bytes.length;
    const before = Buffer.alloc(end - first.position);
    this.foreign.subarray(first.position, end).copy(before);
    const fd = fs.openSync(this.log.path(0), 'r+');
    fs.writeSync(fd, before, 0, before.length, first.position);
    fs.closeSync(fd);
    if (refused) this.log.state.damaged.push({ from: first.base, to: last.last + 1 });
  }

  private burn(count: number): void {
    const { state } = this.log;
    if (count > 0) state.damaged.push({ from: state.endOffset, to: state.endOffset + count });
    state.endOffset += count;
  }

  flip(batch: number, field: number, bit: number): void {
    this.log.flip(0, this.log.batches[batch]!.position + field, bit);
  }
}

/** How the broker finds the segment. */
const STATES = ['sealed, without index', 'sealed, with an index file', 'active, after a restart', 'active, and growing again'] as const;
type State = (typeof STATES)[number];

async function become(log: LogWriter, state: State): Promise<void> {
  if (state.startsWith('sealed')) {
    log.roll();
    log.append(1, 10);
    await settle();
    const index = log.path(0).replace('.log', '.index');
    expect(fs.existsSync(index)).toBe(true);
    if (state === 'sealed, without index') fs.rmSync(index);
  }
  log.restart();
  if (state === 'active, and growing again') for (let i = 0; i < 3; i++) log.append(2, 50);
}

/**
 * Indexes of the batches that are not served, read one by one from the end to the beginning, and from the beginning to the end. `isSteady`: both must be the same; an
 * index file may know a batch that nobody finds once it was rebuilt.
 */
async function lostOf(log: LogWriter, isSteady = true): Promise<number[]> {
  const alone: number[] = [];
  for (const batch of [...log.batches].reverse()) {
    log.view.hints.clear();
    const { errorCode, records } = (await bench!.fetch('orders', [{ offset: batch.last, maxBytes: 1 }])).responses[0]!.partitions[0]!;
    if (errorCode !== 0) continue;
    expect(records!.equals(batch.bytes), `offset ${batch.last} is served with other bytes`).toBe(true);
    alone.unshift(log.batches.indexOf(batch));
  }
  const { bases, refused } = await readAll(bench!, log);
  const lost = log.batches.filter(({ base }) => !bases.includes(base));
  const stored = new Set(log.batches.flatMap(({ base, last }) => range(base, last + 1)));
  expect(refused.filter((offset) => stored.has(offset))).toEqual(lost.flatMap(({ base, last }) => range(base, last + 1)));
  const indexes = lost.map((batch) => log.batches.indexOf(batch));
  if (isSteady) expect([...alone, ...indexes].sort((a, b) => a - b)).toEqual(log.batches.map((_, i) => i));
  return indexes;
}

const range = (...[from, to]: Range): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const many = (records: number, valueBytes: number): Size[] => Array.from({ length: 120 }, () => [records, valueBytes]);

/** Previous owners. The own log has 3 offsets in each batch. */
const FOREIGN: readonly [string, Foreign][] = [
  ['of the same sizes, at other places', foreignChain(20, many(3, 100), 150)],
  ['of the same sizes, at the same places', foreignChain(20, many(3, 100))],
  ['of the same sizes, at the same places, behind', foreignChain(5, many(3, 100))],
  ['of other sizes', foreignChain(10, many(1, 40))],
  ['of larger batches', foreignChain(1, many(5, 400))],
  ['of batches longer than what is lost', foreignChain(1, many(9, 900))],
  ['that goes on exactly where this one breaks', foreignChain(60, many(7, 30), 20 * buildOwnBytes())],
  ['whose batch in the place of what is lost has the offset behind it', foreignChain(30, many(3, 100))],
];

/** Bytes of an own batch. */
function buildOwnBytes(): number {
  return buildBatch({ records: Array.from({ length: 3 }, () => ({ value: Buffer.alloc(100) })) }).length;
}

const FIELDS: readonly [string, number][] = [
  ['base offset', 7],
  ['base offset, high bits', 2],
  ['length', 11],
  ['length, high bits', 9],
  ['magic', 16],
  ['crc', 18],
  ['last offset delta', 26],
  ['last offset delta, high bits', 23],
  ['a record', 70],
];

describe.each(STATES)('a segment that is %s', (state) => {
  describe.each(FOREIGN)('with a previous owner %s', (_name, foreign) => {
    test('a lost range is refused, everything else is served', async () => {
      const recycled = new RecycledLog(foreign.bytes, OWN, 1000);
      recycled.lose([20, 30], true);
      await become(recycled.log, state);
      expect(await lostOf(recycled.log)).toEqual(range(20, 30));
    });

    test('a lost range at the end', async () => {
      const recycled = new RecycledLog(foreign.bytes, OWN, 1000);
      recycled.lose([20, 60], true);
      await become(recycled.log, state);
      expect(await lostOf(recycled.log)).toEqual(range(20, 60));
    });

    test('between two lost ranges nothing foreign is served, and own batches if the index knows them', async () => {
      const recycled = new RecycledLog(foreign.bytes, OWN, 1000);
      recycled.lose([20, 30], true);
      recycled.lose([40, 50], true);
      await become(recycled.log, state);
      const lost = await lostOf(recycled.log);
      const known = [...range(20, 30), ...range(40, 50)];
      expect(lost).toEqual(state === 'sealed, with an index file' ? known : range(20, 50));
    });
  });

  // A chain that fits in place and offset cannot be told apart where nobody knows of a loss.
  describe.each(FOREIGN.filter(([name]) => !name.startsWith('that goes on')))('with a previous owner %s', (_name, foreign) => {
    test('a lost range that nobody knows of is found', async () => {
      const recycled = new RecycledLog(foreign.bytes, OWN, 1000);
      recycled.lose([20, 30], false);
      await become(recycled.log, state);
      expect(await lostOf(recycled.log)).toEqual(range(20, 30));
    });

    test('a lost range at the beginning', async () => {
      const recycled = new RecycledLog(foreign.bytes, OWN, 1000);
      recycled.lose([0, 20], true);
      await become(recycled.log, state);
      expect(await lostOf(recycled.log)).toEqual(range(0, 20));
    });
  });

  for (const [field, position] of FIELDS) {
    for (const bit of [0, 4, 7]) {
      test(`a lost range and bit ${bit} of ${field} flipped in batches before and behind`, async () => {
        const [, foreign] = FOREIGN[(position + bit) % 6]!;
        const recycled = new RecycledLog(foreign.bytes, OWN, 1000);
        recycled.lose([20, 30], true);
        for (const batch of [0, 10, 14, 33, 45, 59]) recycled.flip(batch, position, bit);
        await become(recycled.log, state);
        expect(await lostOf(recycled.log)).toEqual([0, 10, 14, ...range(20, 30), 33, 45, 59]);
      });
    }
  }

  test('a batch beside a lost range is damaged, too', async () => {
    for (const [i, [, position]] of FIELDS.entries()) {
      const recycled = new RecycledLog(FOREIGN[i % 6]![1].bytes, OWN, 1000);
      recycled.lose([20, 30], false);
      for (const batch of [19, 30]) recycled.flip(batch, position, 1);
      await become(recycled.log, state);
      expect(await lostOf(recycled.log)).toEqual(range(19, 31));
      bench!.close();
    }
  });
});

test('one lost batch', async () => {
  for (const state of STATES) {
    for (const [, foreign] of FOREIGN.slice(0, 6)) {
      const recycled = new RecycledLog(foreign.bytes, OWN, 1000);
      recycled.lose([20, 21], false);
      await become(recycled.log, state);
      expect(await lostOf(recycled.log)).toEqual([20]);
      bench!.close();
    }
  }
});

const SIZES: readonly Size[] = [
  [1, 20],
  [1, 100],
  [2, 100],
  [3, 100],
  [5, 200],
  [9, 600],
];

/** A random layout; tells what was lost and what may be lost besides. */
async function runRandom(seed: number): Promise<void> {
  const prng = new Prng(seed);
  const someSizes = (length: number): Size[] => {
    const kinds = Array.from({ length: 1 + prng.below(3) }, () => prng.pick(SIZES));
    return Array.from({ length }, () => prng.pick(kinds));
  };
  const own = someSizes(20 + prng.below(50));
  const records = own.reduce((sum, [count]) => sum + count, 0);
  // Several owners before: of the later ones only what the next did not write over is left.
  let foreign: Foreign = { bytes: Buffer.alloc(0), places: [] };
  for (let i = 1 + prng.below(3); i > 0; i--) {
    const next = foreignChain(
      prng.below(records),
      prng.chance(0.3) ? own : someSizes(20 + prng.below(150)),
      prng.chance(0.4) ? 0 : prng.below(700),
    );
    foreign = {
      bytes: Buffer.concat([next.bytes, foreign.bytes.subarray(next.bytes.length)]),
      places: [...foreign.places, ...next.places],
    };
  }
  const recycled = new RecycledLog(foreign.bytes, own, 1 + prng.below(5000));
  const { log } = recycled;
  const from = prng.below(own.length - 1);
  const lost: Range = [from, Math.min(own.length, from + 1 + prng.below(20))];
  const places = log.batches.map(({ position, base }) => ({ position, offset: base }));
  // A chain of another log that meets this one at either end of what is lost cannot be told from it.
  const fits = (batch: number): boolean =>
    foreign.places.some((place) => places[batch]?.position === place.position && places[batch]?.offset === place.offset);
  const refused = prng.chance(0.5) || fits(lost[0]) || fits(lost[1]);
  recycled.lose(lost, refused);
  const expected = new Set(range(...lost));
  const isTwice = prng.chance(0.3) && lost[1] + 2 < own.length;
  if (isTwice) {
    const second: Range = [lost[1] + 1 + prng.below(own.length - lost[1] - 2), own.length - prng.below(2)];
    recycled.lose(second, true);
    for (const batch of range(...second)) expected.add(batch);
  }
  // Next to each other two damaged batches are like a lost range.
  for (let batch = prng.below(12); batch < own.length; batch += 2 + prng.below(20)) {
    if (expected.has(batch) || prng.chance(0.3)) continue;
    recycled.flip(batch, prng.pick(FIELDS)[1], prng.below(8));
    expected.add(batch);
  }
  const state = prng.pick(STATES);
  await become(log, state);
  const found = await lostOf(log, !isTwice);
  for (const batch of expected) expect(found).toContain(batch);
  if (!isTwice) expect(found).toEqual([...expected].sort((a, b) => a - b));
}

/** Another, of a log that has gaps in its offsets. Between a gap and a lost range what is intact may be refused, too; only gaps cost nothing. */
async function runRandomWithGaps(seed: number): Promise<void> {
  const prng = new Prng(seed);
  const own = Array.from({ length: 20 + prng.below(50) }, () => prng.pick(SIZES));
  const burnt = own.map(() => (prng.chance(0.1) ? 1 + prng.below(30) : 0));
  const bases: number[] = [];
  let next = 0;
  for (const [i, [records]] of own.entries()) {
    next += burnt[i]!;
    bases.push(next);
    next += records;
  }
  const from = prng.below(own.length - 1);
  const lost: Range = [from, prng.chance(0.5) ? from : Math.min(own.length - 1, from + 1 + prng.below(20))];
  const sizes = prng.chance(0.5) ? own.slice(from) : Array.from({ length: 100 }, () => prng.pick(SIZES));
  const fits = prng.chance(0.5);
  const foreign = fits
    ? foreignChain(bases[lost[1]]!, sizes, foreignChain(0, own).places[from]!.position)
    : foreignChain(prng.below(next), sizes, prng.below(700));
  const recycled = new RecycledLog(foreign.bytes, own, 1 + prng.below(5000), burnt);
  const expected = new Set(range(...lost));
  if (lost[1] > lost[0]) recycled.lose(lost, true);
  recycled.log.state.damaged.sort((a, b) => a.from - b.from);
  for (let batch = prng.below(12); batch < own.length; batch += 2 + prng.below(20)) {
    if (expected.has(batch) || prng.chance(0.3)) continue;
    recycled.flip(batch, prng.pick(FIELDS)[1], prng.below(8));
    expected.add(batch);
  }
  await become(recycled.log, prng.pick(STATES));
  const found = await lostOf(recycled.log, false);
  for (const batch of expected) expect(found).toContain(batch);
  if (lost[1] === lost[0]) expect(found).toEqual([...expected].sort((a, b) => a - b));
}

test.each([
  ['dense offsets', runRandom],
  ['gaps in its offsets', runRandomWithGaps],
] as const)(
  'a log with %s, and whatever the previous owners wrote: nothing of that is served, and all that is intact is',
  async (_name, run) => {
    const first = Number(process.env['RECYCLED_SEED'] ?? 1);
    const seeds = Number(process.env['RECYCLED_SEEDS'] ?? 150);
    for (let seed = first; seed < first + seeds; seed++) {
      try {
        await run(seed);
      } catch (error) {
        throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
      }
      bench!.close();
    }
  },
);
