/** The pure parts of `npm run perf -- model`: constants come from the points that are for it, and what is predicted badly is seen. */
import { describe, expect, it } from 'vitest';
import { leastSquares } from '../../../perf/model/fit.mjs';
import { compareWith, fitFormula, isOff, type Formula } from '../../../perf/model/formula.mjs';
import { formulaText, markdown, resultOf, valueText } from '../../../perf/model/table.mjs';

interface Load {
  readonly groupRate: (run: object, values: { s: number; p: number; q: number }) => number;
  readonly sleepRate: (run: object, values: { s: number; p: number; q: number }) => number;
}
interface Disk {
  readonly groupBytes: (run: { batchesOfGroup: number; bytesOfGroup: number; isReferenced: boolean; partitions: number }) => number;
}
interface Partitions {
  readonly openSegments: (partitions: number, most: number) => number;
}
interface Stored {
  readonly activeGigabytes: (gigabytes: number, partitions: number) => number;
}
interface ShardMetrics {
  readonly valuesOf: (page: string, series: string) => number[];
}
// They start brokers when they are told to, so they have no declarations: only these functions are pure.
const folder = new URL('../../../perf/model/', import.meta.url);
const { groupRate, sleepRate } = (await import(new URL('load.mjs', folder).href)) as Load;
const { groupBytes } = (await import(new URL('disk.mjs', folder).href)) as Disk;
const { openSegments } = (await import(new URL('partitions.mjs', folder).href)) as Partitions;
const { activeGigabytes } = (await import(new URL('stored.mjs', folder).href)) as Stored;
const { valuesOf } = (await import(new URL('shard-metrics.mjs', folder).href)) as ShardMetrics;

describe('least squares', () => {
  it('meets as many points as there are constants, even if what they are multiplied by differs by orders of magnitude', () => {
    const rows = [
      [1, 1000, 0.5],
      [1, 80_000, 90],
      [1, 1500, 600],
    ];
    const constants: readonly number[] = [0.1, 4e-6, 1e-3];
    const values = rows.map((row) => constants.reduce((sum, constant, k) => sum + constant * (row[k] ?? NaN), 0));
    const solved = leastSquares(rows, values);
    for (const [k, constant] of constants.entries()) expect(solved[k]).toBeCloseTo(constant, 10);
  });

  it('goes through the middle of points that are off to either side', () => {
    const xs = [1, 2, 3, 4, 5, 6];
    const noise = [1.02, 0.98, 0.98, 1.02, 1.02, 0.98];
    const [at = NaN, slope = NaN] = leastSquares(
      xs.map((x) => [1, x]),
      xs.map((x, n) => (10 + 2 * x) * (noise[n] ?? NaN)),
    );
    expect(Math.abs(at / 10 - 1)).toBeLessThan(0.03);
    expect(Math.abs(slope / 2 - 1)).toBeLessThan(0.05);
  });

  it('counts errors relative to what was measured, so that a small point is not given up for a large one', () => {
    // One constant for 1 and for 300 at x = 1 and 100: by absolute errors it would be 3, and 1 would be missed by 200 %.
    const [constant = NaN] = leastSquares([[1], [100]], [1, 300]);
    expect(constant).toBeCloseTo((1 + 1 / 3) / (1 + 1 / 9), 10);
  });

  it('refuses fewer points than constants', () => {
    expect(() => leastSquares([[1, 5]], [3])).toThrow('1 points are too few for 2 constants');
  });

  it('refuses points that do not tell the constants apart', () => {
    const line = [1, 2, 3].map((x) => [x, 2 * x]);
    expect(() => leastSquares(line, [3, 6, 9])).toThrow('do not tell the constants apart');
    expect(() => leastSquares([[0], [0]], [1, 2])).toThrow('constant 1 is multiplied by 0 at every point');
  });

  it('refuses what cannot have been measured', () => {
    expect(() => leastSquares([[1], [1]], [3, 0])).toThrow('measured value of 0');
    expect(() => leastSquares([[1], [1]], [NaN, 3])).toThrow('measured value of NaN');
    expect(() => leastSquares([[1], [1]], [3])).toThrow('2 points have 1 measured values');
  });
});

const memory: Formula = {
  axis: 'things',
  what: 'memory',
  unit: 'MB',
  text: 'm0 + m1 × things',
  constants: {
    m0: { unit: 'MB', means: 'without any', times: () => 1 },
    m1: { unit: 'MB', means: 'a thing', times: ({ x = NaN }) => x },
  },
};
const points = [
  { name: '1 thing', x: 1, measured: 12, isFitted: true },
  { name: '3 things', x: 3, measured: 16, isFitted: true },
  { name: '10 things', x: 10, measured: 33 },
  { name: '20 things', x: 20, measured: 100 },
];

describe('a formula of the model', () => {
  it('takes its constants from the points that are for it, and not from those it is checked at', () => {
    const { constants, rows } = fitFormula(memory, points);
    expect(constants.map(({ name, value }) => [name, Number(value.toFixed(9))])).toEqual([
      ['m0', 10],
      ['m1', 2],
    ]);
    expect(rows.map(({ predicted, isFitted }) => [Math.round(predicted), isFitted])).toEqual([
      [12, true],
      [16, true],
      [30, false],
      [50, false],
    ]);
    expect(rows[2]?.error).toBeCloseTo(-3 / 33, 9);
  });

  it('needs a point that its constants do not come from, and no point twice', () => {
    expect(() => fitFormula(memory, points.slice(0, 2))).toThrow('things, memory: no point is left to check the formula at');
    expect(() => fitFormula(memory, [...points, { name: '1 thing', x: 1, measured: 12 }])).toThrow("'1 thing' is there twice");
  });

  it('says of which formula the points are too few', () => {
    expect(() => fitFormula(memory, points.slice(1))).toThrow('things, memory: 1 points are too few for 2 constants');
  });

  it('predicts by a function of its own where it is not a sum', () => {
    const formula: Formula = { ...memory, constants: {}, predict: ({ x = NaN }, { most = NaN }) => Math.min(x, most) };
    expect(compareWith(formula, { most: 5 }, points).rows.map(({ predicted }) => predicted)).toEqual([1, 3, 5, 5]);
  });

  it('is off beyond 30 %, to either side, and where there is no prediction', () => {
    expect([0.3, -0.3, 0.31, -0.31, NaN].map((error) => isOff({ error }))).toEqual([false, false, true, true, true]);
  });
});

describe('how the model is shown', () => {
  const compared = fitFormula(memory, points);

  it('has three digits of every value', () => {
    expect([1_234_567, 0.001_234, 99.96, 0, NaN].map(valueText)).toEqual(['1,230,000', '0.00123', '100', '0', '-']);
  });

  it('marks what is more than 30 % off, and says which points were fitted', () => {
    const lines = formulaText(compared).split('\n');
    expect(lines[0]).toBe('things: memory [MB] = m0 + m1 × things');
    expect(lines.find((line) => line.includes(' 1 thing '))).toMatch(/12 +12 {2}fitted$/);
    expect(lines.find((line) => line.includes('10 things'))).toMatch(/30 +33 {2}−9 %$/);
    expect(lines.find((line) => line.includes('20 things'))).toMatch(/50 +100 {2}−50 %, more than 30 % off {2}<<<$/);
  });

  it('is two tables in Markdown, whose cells nothing breaks', () => {
    const rows = markdown([{ ...compared, text: 'm0 | m1' }]).split('\n');
    expect(rows).toContain(String.raw`| memory, MB | m0 \| m1 | m0 = 10 MB (without any); m1 = 2 MB (a thing) |`);
    expect(rows).toContain('| memory, MB | 10 things | 30 | 33 | −9 % |');
    expect(rows).toContain('| memory, MB | 20 things | 50 | 100 | **−50 %, more than 30 % off** |');
  });

  it('is figures with their predictions on the page of results', () => {
    const result = resultOf(compared);
    expect(result.label).toBe('things: memory');
    expect(result.figures[2]).toMatchObject({ name: '10 things · predicted 30, −9 %', figure: { median: 33 } });
  });
});

describe('groups a second', () => {
  const values = { s: 200, p: 5, q: 1 };

  it('are as many as requests while the shard has time, which it sleeps', () => {
    const run = { kind: 'open', requests: 1000, megabytes: 1 };
    expect(groupRate(run, values)).toBe(1000);
    // 1,000 × (200 + 5) µs and 1,000 KB × 1 µs are 206 ms of each second.
    expect(sleepRate(run, values)).toBeCloseTo(794, 6);
  });

  it('are what batches and bytes leave of a second once it has none, and then it does not sleep', () => {
    const run = { kind: 'open', requests: 50_000, megabytes: 50 };
    expect(groupRate(run, values)).toBeCloseTo((1e6 - 250_000 - 50_000) / 200, 6);
    expect(sleepRate(run, values)).toBe(0);
  });

  it('have half of what is in flight in a closed loop', () => {
    expect(groupRate({ kind: 'closed', requests: 6400, megabytes: 1, inFlight: 128 }, values)).toBe(100);
  });
});

describe('what a group brings to the disk', () => {
  it('is its bytes twice and the rest of a block, if they go to the journal', () => {
    expect(groupBytes({ batchesOfGroup: 1, bytesOfGroup: 1094, isReferenced: false, partitions: 4 })).toBe(1094 + 4096);
    expect(groupBytes({ batchesOfGroup: 4, bytesOfGroup: 4000, isReferenced: false, partitions: 4 })).toBe(4000 + 8192);
  });

  it('is its bytes once and two blocks for each partition, if the journal refers to them', () => {
    expect(groupBytes({ batchesOfGroup: 10, bytesOfGroup: 651_400, isReferenced: true, partitions: 4 })).toBe(651_400 + 4096 + 4 * 8192);
    expect(groupBytes({ batchesOfGroup: 2, bytesOfGroup: 130_280, isReferenced: true, partitions: 4 })).toBe(130_280 + 4096 + 2 * 8192);
  });
});

describe('open segments', () => {
  it('are one a partition up to the limit, and beyond it never fewer than half of it nor more', () => {
    expect([100, 3750, 4000, 5000, 5626].map((partitions) => openSegments(partitions, 3750))).toEqual([100, 3750, 2125, 3125, 1876]);
  });
});

describe('what is stored', () => {
  it('is in active segments as long as each partition has not filled one, and then what is beyond full ones', () => {
    expect(activeGigabytes(4, 4)).toBe(4);
    expect(activeGigabytes(8, 4)).toBeCloseTo(8 - (4 * 2 ** 30) / 1e9, 9);
  });
});

describe('the page of metrics', () => {
  it('is read by the whole name of a series, with and without labels', () => {
    const page = ['# HELP a_sum of a', 'a_sum{shard="0"} 3', 'a_sum{shard="1"} 4.5', 'a_sum_more{shard="0"} 9', 'a_sum 1e3'].join('\n');
    expect(valuesOf(page, 'a_sum')).toEqual([3, 4.5, 1000]);
  });
});
