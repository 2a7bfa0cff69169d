import { describe, expect, it } from 'vitest';
import { MetricCells, rowCellsOf } from '../../../src/telemetry/metric-cells.ts';
import type { MetricDefinition } from '../../../src/telemetry/metric-definition.ts';
import { METRIC_LISTS } from '../../../src/telemetry/metric-table.ts';

const all = METRIC_LISTS.flatMap(({ metrics }) => metrics);

const LIST = [
  { key: 'count', name: 'c_total', type: 'counter', unit: 'count', help: 'Counts.' },
  { key: 'time', name: 't', type: 'histogram', unit: 'ms', help: 'Takes.', bounds: [1, 10] },
  { key: 'level', name: 'l', type: 'gauge', unit: 'bytes', help: 'Stands.' },
] as const satisfies readonly MetricDefinition[];

describe('the table of metrics', () => {
  it('names each metric once, in the form that Prometheus takes', () => {
    const names = all.map(({ name }) => name);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
    expect(names.filter((name) => !/^[a-z][a-z0-9_]*$/.test(name))).toEqual([]);
    for (const { metrics } of METRIC_LISTS) expect(new Set(metrics.map(({ key }) => key)).size).toBe(metrics.length);
  });

  it('keeps to its rule for names: ours are ringlog_, others belong to Kafka, Node or the process', () => {
    expect(all.filter(({ name }) => !/^(ringlog|kafka|nodejs|process)_/.test(name))).toEqual([]);
    expect(all.filter(({ name, kafka }) => kafka !== undefined && !name.startsWith('kafka_'))).toEqual([]);
  });

  it('ends the names of our counters with _total, and of no gauge', () => {
    expect(all.filter(({ name, type }) => name.startsWith('ringlog_') && name.endsWith('_total') !== (type === 'counter'))).toEqual([]);
  });

  it('says what each is in one sentence, and gives histograms, and only those, ascending bounds', () => {
    for (const { help, type, bounds } of all) {
      expect(help).toMatch(/^[A-Z0-9].*[^.]\.$/);
      expect(bounds !== undefined).toBe(type === 'histogram');
      expect(bounds ?? []).toEqual([...(bounds ?? [])].sort((a, b) => a - b));
      expect((bounds ?? []).length).toBeLessThanOrEqual(14);
    }
  });
});

describe('cells of metrics', () => {
  it('are seen through another view of the same memory', () => {
    const cells = new MetricCells(LIST);
    const other = new MetricCells(LIST, cells.memory);
    cells.values[cells.cell('count')]! += 1000;
    cells.values[cells.cell('level')] = 24;
    expect(other.values[other.cell('count')]).toBe(1000);
    expect(other.values[other.cell('level')]).toBe(24);
  });

  it('are one for each counter and gauge, and one for each bucket, the rest and the sum of a histogram', () => {
    expect(rowCellsOf(LIST)).toBe(1 + 4 + 1);
    expect(new MetricCells(LIST, 3).memory.byteLength).toBe(3 * 6 * 8);
    expect(() => new MetricCells(LIST, new SharedArrayBuffer(40))).toThrow(/whole rows/);
  });

  it('put what is observed into the bucket whose bound it does not pass, and add it up, in its own row only', () => {
    const cells = new MetricCells(LIST, 2);
    const time = cells.histogram('time');
    for (const ms of [0, 1, 1.5, 10, 11, 1000]) time.observe(ms, cells.rowCells);
    expect([...cells.values.subarray(0, 6)]).toEqual([0, 0, 0, 0, 0, 0]);
    expect([...cells.values.subarray(6)]).toEqual([0, 2, 2, 2, 1023.5, 0]);
  });
});
