/** The load generator in Node: what it sends is what src takes for a record batch, due times do not wait for anybody, and its report can stand for kload's. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isBatchCrcValid } from '../../../src/protocol/crc32c.ts';
import { whyHeaderRefused } from '../../../src/protocol/batch-refusal.ts';

interface Pool {
  readonly count: number;
  readonly recordsMean: number;
  batch(i: number): Buffer;
  bytesOf(i: number): number;
  take(): number;
  takeDue(dueMs: number): number;
  give(i: number): void;
  stamp(i: number, producerId: Buffer, sequence: number): void;
}
interface Schedule {
  startMs: number;
  due: number;
  end: number;
  dueTime(k: number): number;
  numberOf(dueMs: number): number;
  firstFrom(ms: number): number;
  advance(nowMs: number): void;
  endAt(ms: number): void;
}
interface Result {
  begin(nowMs: number): void;
  end(nowMs: number): void;
  tick(nowMs: number): void;
  count(batches: number, records: number, bytes: number): void;
  latency(ms: number, times?: number): void;
  error(code: number): void;
  readonly failures: number;
}
type Options = Readonly<Record<string, unknown>>;
interface Modules {
  readonly Pool: new (options: object, countLeast: number) => Pool;
  readonly dueOf: (buffer: Buffer, position: number, bytes: number) => number;
  readonly Schedule: new (requestsPerSecond: number) => Schedule;
  readonly Result: new () => Result;
  readonly reportOf: (options: Options, result: Result, delivered: Result | null) => Record<string, unknown>;
  readonly parseOptions: (args: readonly string[]) => Options;
  readonly FrameCutter: new () => {
    feed(data: Buffer, bytes: number, onFrame: (buffer: Buffer, start: number, end: number) => void): void;
  };
  readonly shareOut: (options: object, cluster: object) => readonly { readonly broker: string; readonly partitions: readonly number[] }[];
}

const root = new URL('../../../', import.meta.url);
const parts = await Promise.all(
  ['pool', 'schedule', 'result', 'options', 'wire', 'admin'].map((name) => import(new URL(`perf/lib/node-load/${name}.mjs`, root).href)),
);
const { Pool, dueOf, Schedule, Result, reportOf, parseOptions, FrameCutter, shareOut } = Object.assign({}, ...parts) as Modules;

const LENGTH_POSITION = 8;
const RECORD_COUNT_POSITION = 57;
const poolOf = (options: object): Pool =>
  new Pool({ recordBytes: 100, batchBytes: [1000, 1000], poolBytes: 16_384, poolFile: 0, ...options }, 4);

function expectRight(batch: Buffer): void {
  expect(batch.readInt32BE(LENGTH_POSITION) + 12).toBe(batch.length);
  expect(whyHeaderRefused(batch, 0, batch.length)).toBeNull();
  expect(isBatchCrcValid(batch, 0)).toBe(true);
}

describe('a batch of the pool', () => {
  it('bears its right CRC whenever it is taken, and never is the same', () => {
    const pool = poolOf({});
    const seen = new Set<string>();
    for (let n = 0; n < 5 * pool.count; n++) {
      const i = pool.take();
      expectRight(pool.batch(i));
      seen.add(pool.batch(i).toString('latin1'));
      pool.give(i);
    }
    expect(seen.size).toBe(5 * pool.count);
  });

  it('is as large as was asked for at most, and full', () => {
    const pool = poolOf({});
    for (let i = 0; i < pool.count; i++) {
      expect(pool.bytesOf(i)).toBeLessThanOrEqual(1000);
      expect(pool.bytesOf(i)).toBeGreaterThan(890); // another record would not fit
      expect(pool.batch(i).readInt32BE(RECORD_COUNT_POSITION)).toBe(8);
    }
    expect(pool.recordsMean).toBe(8);
  });

  it('has one record if not even that fits', () => {
    const pool = poolOf({ batchBytes: [1, 1], recordBytes: 70_000 });
    const i = pool.take();
    expectRight(pool.batch(i));
    expect(pool.batch(i).readInt32BE(RECORD_COUNT_POSITION)).toBe(1);
  });

  it('is of sizes between two if asked for', () => {
    const pool = poolOf({ batchBytes: [200, 4000], poolBytes: 256_000 });
    const sizes = Array.from({ length: pool.count }, (_, i) => pool.bytesOf(i));
    expect(new Set(sizes).size).toBeGreaterThan(5);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(4000);
  });

  it('is not taken twice before it is given back', () => {
    const pool = poolOf({});
    const taken = Array.from({ length: pool.count - 1 }, () => pool.take());
    pool.give(taken[3] ?? 0);
    const more = [pool.take(), pool.take()];
    expect(more.toSorted((a, b) => a - b)).toEqual([3, pool.count - 1]);
  });

  it('says when it was due, to the bit', () => {
    const pool = poolOf({});
    const i = pool.takeDue(1234.567_891);
    expectRight(pool.batch(i));
    expect(dueOf(pool.batch(i), 0, pool.bytesOf(i))).toBe(1234.567_891);
  });

  it('becomes an idempotent producer’s', () => {
    const pool = poolOf({});
    const i = pool.take();
    pool.stamp(i, Buffer.from([0, 0, 0, 0, 0, 0, 0, 77]), 4711);
    expectRight(pool.batch(i));
    expect(pool.batch(i).readBigInt64BE(43)).toBe(77n);
    expect([pool.batch(i).readInt16BE(51), pool.batch(i).readInt32BE(53)]).toEqual([0, 4711]);
  });
});

describe('a pool out of a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'node-load-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'pool');

  it('plays its batches in turn, each with timestamps of its own', () => {
    const made = poolOf({ batchBytes: [1, 1] });
    writeFileSync(file, Buffer.concat([made.batch(0), made.batch(1)]));
    const pool = poolOf({ poolFile: file });
    const stamps = new Set<bigint>();
    for (let n = 0; n < 3 * pool.count; n++) {
      const i = pool.take();
      expectRight(pool.batch(i));
      expect(pool.batch(i).subarray(61)).toEqual(made.batch(i % 2).subarray(61));
      stamps.add(pool.batch(i).readBigInt64BE(27));
      pool.give(i);
    }
    expect(stamps.size).toBe(3 * pool.count);
  });

  it('is refused if there is something else in it', () => {
    writeFileSync(file, 'no batch, but quite some text which is longer than the header of a batch would be');
    expect(() => poolOf({ poolFile: file })).toThrow('not record batches');
  });
});

describe('open loop', () => {
  const scheduleOf = (): Schedule => Object.assign(new Schedule(4000), { startMs: 100 });

  it('has requests due evenly, whenever it is looked at', () => {
    const schedule = scheduleOf();
    expect([0, 1, 4, 4000].map((k) => schedule.dueTime(k))).toEqual([100, 100.25, 101, 1100]);
    schedule.advance(99);
    expect(schedule.due).toBe(0);
    schedule.advance(100);
    expect(schedule.due).toBe(1);
    schedule.advance(101.1);
    expect(schedule.due).toBe(5);
  });

  it('has everything due after a stall, each from when it should have been sent', () => {
    const schedule = scheduleOf();
    schedule.advance(100);
    schedule.advance(600);
    expect(schedule.due).toBe(2001);
    expect(600 - schedule.dueTime(1)).toBe(499.75);
  });

  it('has nothing due from its end on', () => {
    const schedule = scheduleOf();
    schedule.advance(150);
    schedule.endAt(102);
    schedule.advance(5000);
    expect([schedule.end, schedule.due, schedule.firstFrom(102.1)]).toEqual([8, 8, 9]);
  });

  it('knows a request by its time, and none by another', () => {
    const schedule = Object.assign(new Schedule(3333.3), { startMs: 0.7 });
    for (const k of [0, 1, 7, 123_456]) expect(schedule.numberOf(schedule.dueTime(k))).toBe(k);
    expect(schedule.numberOf(schedule.dueTime(7) + 0.001)).toBe(-1);
    expect(schedule.numberOf(0.1)).toBe(-1);
  });
});

describe('the report', () => {
  /** The names in what kload prints, out of its source: there may be no compiler. */
  const printed = (file: string, from: string, to: string): string[] => {
    const source =
      readFileSync(new URL(`native-bench/${file}`, root), 'utf8')
        .split(from)[1]
        ?.split(to)[0] ?? '';
    const names = [...source.matchAll(/\\"([a-z_0-9]+)\\":|print_list\("([a-z_0-9]+)"/g)];
    return names.map(([, name, listName]) => name ?? listName ?? '').toSorted();
  };
  const ran = (): Result => {
    const result = new Result();
    result.begin(1000);
    result.count(1, 62, 65_000);
    for (let n = 1; n <= 1000; n++) result.latency(n / 100);
    result.tick(2500);
    result.count(1, 62, 65_000);
    result.end(3000);
    return result;
  };
  const options = parseOptions(['--topic', 't']);

  it('has the names of kload’s', () => {
    const report = reportOf(options, ran(), null);
    expect(Object.keys(report).toSorted()).toEqual(printed('kload_result.c', 'void result_print(', 'if (delivered) print_delivered'));
    expect(Object.keys(report['latency_us'] as object)).toEqual(['count', 'mean', 'min', 'p50', 'p90', 'p99', 'p99.9', 'max', 'ladder']);
  });

  it('has those of an end-to-end run too', () => {
    const names = new Set(Object.keys(reportOf(options, ran(), null)));
    const more = Object.keys(reportOf({ ...options, endToEnd: true }, ran(), ran())).filter((name) => !names.has(name));
    expect(more.toSorted()).toEqual(printed('kload_result.c', 'static void print_delivered(', '\n}'));
  });

  it('counts what was measured, by the second', () => {
    const report = reportOf(options, ran(), null);
    expect(report).toMatchObject({
      tool: 'node-load',
      seconds: 2,
      bytes: 130_000,
      records: 124,
      mb_per_s: 0.07,
      records_per_s: 62,
      error_count: 0,
    });
    expect(report['interval_mb']).toEqual([0.1]);
    const { p50, 'p99.9': tail, count } = report['latency_us'] as Record<string, number>;
    expect(count).toBe(1000);
    expect((p50 ?? 0) / 5000).toBeCloseTo(1, 2);
    expect((tail ?? 0) / 9990).toBeCloseTo(1, 2);
  });

  it('names errors, and a run with one has failed', () => {
    const result = ran();
    expect(result.failures).toBe(0);
    result.error(3);
    expect(result.failures).toBe(1);
    expect(reportOf(options, result, null)).toMatchObject({ error_count: 1, errors: { '3 UNKNOWN_TOPIC_OR_PARTITION': 1 } });
  });
});

describe('options', () => {
  it('have kload’s defaults', () => {
    const wanted = {
      mode: 'produce',
      partitions: 4,
      connections: 4,
      inFlight: 5,
      acks: -1,
      recordBytes: 1024,
      batchBytes: [65_536, 65_536],
      seconds: 10,
      rate: 0,
      drain: 30,
    };
    expect(parseOptions([])).toMatchObject(wanted);
    expect(parseOptions(['--consume'])).toMatchObject({ mode: 'consume', seconds: 0 });
    expect(parseOptions(['--end-to-end', '--rate', '5'])).toMatchObject({ batchBytes: [1, 1] });
  });

  it('are all of kload’s', () => {
    const source = readFileSync(new URL('native-bench/kload.c', root), 'utf8');
    const names = [...source.matchAll(/\{"([a-z-]+)", ([01]), 0, OPT/g)];
    expect(names.length).toBeGreaterThan(25);
    const accepts = ([, name, hasValue]: RegExpMatchArray): boolean => {
      try {
        return parseOptions(hasValue === '1' ? [`--${name ?? ''}`, '1'] : [`--${name ?? ''}`]) !== undefined;
      } catch (error) {
        return !/unknown option/i.test((error as Error).message);
      }
    };
    expect(names.filter((name) => !accepts(name)).map(([, name]) => name)).toEqual([]);
  });

  it('are sizes with k, m and g, and ranges of them', () => {
    expect(parseOptions(['--bytes', '2g', '--batch-bytes', '1k-0.5m'])).toMatchObject({ bytes: 2 ** 31, batchBytes: [1024, 524_288] });
  });

  it.each([
    [['--bytes', '2x'], "'2x' is not a size"],
    [['--in-flight', '0'], 'not a number from 1'],
    [['--partitions', '1.5'], 'not a whole number'],
    [['--bootstrap', 'here'], 'not HOST:PORT'],
    [['--rate', '5', '--bytes', '1m'], '--rate goes with'],
    [['--idempotent', '--in-flight', '6'], 'at most 5'],
    [['--end-to-end'], '--end-to-end goes with'],
    [['--topic-config', 'a'], "'a' is not K=V"],
  ])('%j are refused', (args, why) => expect(() => parseOptions(args)).toThrow(why));
});

describe('frames', () => {
  it('are the same however the bytes come', () => {
    const sizes = [0, 1, 5000, 3, 70_000, 4];
    const frames = sizes.map((size, n) => {
      const frame = Buffer.alloc(4 + size, n + 1);
      frame.writeInt32BE(size);
      return frame;
    });
    const all = Buffer.concat(frames);
    for (const step of [1, 2, 3, 7, 4096, all.length]) {
      const cutter = new FrameCutter();
      const got: Buffer[] = [];
      for (let at = 0; at < all.length; at += step) {
        const piece = Buffer.from(all.subarray(at, at + step));
        cutter.feed(piece, piece.length, (buffer, start, end) => got.push(Buffer.from(buffer.subarray(start, end))));
        piece.fill(0); // that memory is used again
      }
      expect(
        got.map((frame) => frame.toString('latin1')),
        `${step} bytes a piece`,
      ).toEqual(frames.map((frame) => frame.toString('latin1', 4)));
    }
  });

  it('of a size that no answer has are refused', () => {
    expect(() => new FrameCutter().feed(Buffer.from('HTTP/1.1 400'), 12, () => {})).toThrow('is this a Kafka port?');
  });
});

describe('connections', () => {
  const cluster = { brokers: ['a', 'b'], leaders: [0, 1, 0, 1, 0] };
  const sharesOf = (connections: number, fanOut = false): (string | number)[][] =>
    shareOut({ connections, fanOut }, cluster).map(({ broker, partitions }) => [broker, ...partitions]);

  it('share the partitions of their broker', () => {
    expect(sharesOf(2)).toEqual([
      ['a', 0, 2, 4],
      ['b', 1, 3],
    ]);
    expect(sharesOf(4)).toEqual([
      ['a', 0, 4],
      ['b', 1],
      ['a', 2],
      ['b', 3],
    ]);
  });
  it('write to the same one if there are more', () => expect(sharesOf(8).toString()).toBe('a,0,b,1,a,2,b,3,a,4,b,1,a,0,b,3'));
  it('have all of them with fan-out', () =>
    expect(sharesOf(4, true)).toEqual([
      ['a', 0, 2, 4],
      ['b', 1, 3],
      ['a', 0, 2, 4],
      ['b', 1, 3],
    ]));
  it('are at least as many as brokers', () => expect(() => sharesOf(1)).toThrow('2 brokers lead partitions'));
});
