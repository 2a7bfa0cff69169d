import { describe, expect, it } from 'vitest';
import { Series } from '../../../src/main/series.ts';
import { PARTITION_METRICS } from '../../../src/telemetry/metric-table.ts';

interface Thing {
  readonly name: string;
  level: number;
}

const KIND = {
  table: 'partitions',
  metrics: PARTITION_METRICS,
  labels: ({ name }: Thing) => [name, '0'],
  write({ level }: Thing, values: Float64Array, at: number) {
    values[at] = level;
  },
} as const;

const things = (...names: string[]): Thing[] => names.map((name, level) => ({ name, level }));

describe('series', () => {
  it('are told once, and again only when there are others; numbers of the same ones change in place', () => {
    const series = new Series<Thing>(KIND, 10);
    const [a, b, c] = things('a', 'b', 'c') as [Thing, Thing, Thing];
    const first = series.show([a, b]);
    expect(first?.rows).toEqual([
      ['a', '0'],
      ['b', '0'],
    ]);
    b.level = 99;
    expect(series.show([a, b])).toBeNull();
    expect(new Float64Array(first!.memory)[3]).toBe(99);

    const more = series.show([a, b, c]);
    expect(more?.rows.map(([name]) => name)).toEqual(['a', 'b', 'c']);
    expect(more?.memory).not.toBe(first?.memory);

    const fewer = series.show([a, c]);
    expect(fewer?.rows.map(([name]) => name)).toEqual(['a', 'c']);
    expect([...new Float64Array(fewer!.memory)].filter((_, cell) => cell % 3 === 0)).toEqual([0, 2]);
    expect(series.show([a])?.rows).toHaveLength(1);
    expect(series.show([])?.rows).toHaveLength(0);
    expect(series.show([])).toBeNull();
  });

  it('never write the numbers of one thing where readers have another', () => {
    const series = new Series<Thing>(KIND, 10);
    const [a, b] = things('a', 'b') as [Thing, Thing];
    a.level = 1;
    b.level = 2;
    const first = series.show([a, b]);
    series.show([b]);
    expect([...new Float64Array(first!.memory)].filter((_, cell) => cell % 3 === 0)).toEqual([1, 2]);
  });

  it('are no more than the limit, and say how many are left out', () => {
    const series = new Series<Thing>(KIND, 2);
    const all = things('a', 'b', 'c', 'd');
    expect(series.show(all)).toMatchObject({
      rows: [
        ['a', '0'],
        ['b', '0'],
      ],
      leftOut: 2,
    });
    expect(series.show(all)).toBeNull();
    expect(series.show(all.slice(0, 3))).toMatchObject({ leftOut: 1 });
    expect(new Series<Thing>(KIND, 0).show(all)).toMatchObject({ rows: [], leftOut: 4 });
  });
});
