import fs from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { emptyBatch } from '../../../src/jobs/clean-batch.ts';
import { InternalLoads } from '../../../src/main/internal-loads.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { keyedBatchBytes, writeKeyedBatch, type KeyedRecord } from '../../../src/protocol/keyed-batch.ts';
import { CONTROL_BIT, stampBatch } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { ReadBench, settle, type LogWriter } from '../../support/read-bench.ts';

let bench: ReadBench;
let problems: string[] = [];
afterEach(() => {
  bench.close();
  problems = [];
});

function begin(): { writer: LogWriter; loads: InternalLoads } {
  bench = new ReadBench();
  const [writer] = bench.addTopic('__consumer_offsets');
  return { writer: writer!, loads: loadsOf() };
}

function loadsOf(skipsDamage = false): InternalLoads {
  return new InternalLoads(bench.side.reader, (_view, offset, problem) => void problems.push(`${offset}: ${problem}`), skipsDamage);
}

function write(writer: LogWriter, records: readonly KeyedRecord[], base = writer.state.endOffset): void {
  const batch = Buffer.alloc(keyedBatchBytes(records));
  writeKeyedBatch(batch, 0, records, 1000);
  stampBatch(batch, 0, base, 3);
  writer.appendBatch(batch);
}

const record = (key: string, value: string | null = `value of ${key}`): KeyedRecord => ({
  key: Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
});

/** The log goes on at `offset`: what would have come before is nowhere. */
function skip(writer: LogWriter, offset: number): void {
  writer.state.endOffset = offset;
}

interface Loaded {
  readonly errorCode: number;
  readonly records: { readonly key: string | undefined; readonly value: string | undefined; readonly offset: number }[];
}

function load(loads: InternalLoads, writer: LogWriter, onRecord: (key: string) => void = () => undefined): Promise<Loaded> {
  const kept: { key: Uint8Array | null; value: Uint8Array | null; offset: number }[] = [];
  const text = (bytes: Uint8Array | null): string | undefined => (bytes === null ? undefined : Buffer.from(bytes).toString());
  return new Promise((resolve) => {
    loads.load(
      writer.view,
      (key, value, offset) => {
        kept.push({ key, value, offset });
        onRecord(text(key)!);
      },
      // Read only now: what was told stays as it was.
      (errorCode) =>
        resolve({ errorCode, records: kept.map(({ key, value, offset }) => ({ key: text(key), value: text(value), offset })) }),
    );
  });
}

test('as many loads of empty partitions as there may be end one after the other, not one within the other', async () => {
  const { writer, loads } = begin();
  const codes = await Promise.all(Array.from({ length: 20_000 }, () => load(loads, writer).then(({ errorCode }) => errorCode)));
  expect(codes.every((code) => code === ErrorCode.NONE)).toBe(true);
  expect(codes).toHaveLength(20_000);
});

describe('a load', () => {
  test('of an empty partition tells nothing, and not before it returns', async () => {
    const { writer, loads } = begin();
    let isOver = false;
    loads.load(
      writer.view,
      () => undefined,
      () => (isOver = true),
    );
    expect(isOver).toBe(false);
    await settle();
    expect(isOver).toBe(true);
  });

  test('tells every record of every segment in order, larger batches than a slice among them', async () => {
    const { writer, loads } = begin();
    const expected: Loaded['records'] = [];
    for (let n = 0; n < 400; n++) {
      if (n % 90 === 89) writer.roll();
      const records = Array.from({ length: 1 + (n % 5) }, (_, i) =>
        record(`${n}/${i}`, n % 7 === 0 ? null : 'x'.repeat(n === 200 ? 150_000 : n * 2)),
      );
      const base = writer.state.endOffset;
      records.forEach(({ key, value }, i) =>
        expected.push({
          key: Buffer.from(key).toString(),
          value: value === null ? undefined : Buffer.from(value).toString(),
          offset: base + i,
        }),
      );
      write(writer, records);
    }
    expect(await load(loads, writer)).toEqual({ errorCode: ErrorCode.NONE, records: expected });
    writer.restart();
    expect(await load(loads, writer)).toEqual({ errorCode: ErrorCode.NONE, records: expected });
    expect(problems).toEqual([]);
  });

  test('lets others on the thread have their turn between slices', async () => {
    const { writer, loads } = begin();
    for (let n = 0; n < 300; n++) write(writer, [record(`${n}`, 'x'.repeat(1000))]);
    let turns = 0;
    const turn = (): void => {
      turns++;
      turning = setImmediate(turn);
    };
    let turning = setImmediate(turn);
    const { records } = await load(loads, writer);
    clearImmediate(turning);
    expect(records).toHaveLength(300);
    // 300 kB in slices of 64 KiB.
    expect(turns).toBeGreaterThanOrEqual(5);
  });

  test('ends at the watermark of when it began', async () => {
    const { writer, loads } = begin();
    write(writer, [record('a'), record('b')]);
    const { records } = await load(loads, writer, (key) => {
      if (key === 'a') write(writer, [record('late')]);
    });
    expect(records.map(({ key }) => key)).toEqual(['a', 'b']);
    expect((await load(loads, writer)).records).toHaveLength(3);
  });

  test('begins at the log start, in the middle of a batch', async () => {
    const { writer, loads } = begin();
    write(writer, [record('a'), record('b'), record('c')]);
    write(writer, [record('d')]);
    writer.view.onLogStartSet(2, []);
    expect((await load(loads, writer)).records.map(({ key, offset }) => [key, offset])).toEqual([
      ['c', 2],
      ['d', 3],
    ]);
  });

  test('passes over batches and records that compaction has taken out, and over control batches', async () => {
    const { writer, loads } = begin();
    write(writer, [record('a')]);
    writer.appendBatch(emptyBatch(1, 10, 3));
    const sparse = [
      { key: 'b', value: '1' },
      { key: 'c', value: '2', offsetDelta: 4 },
    ];
    writer.appendBatch(buildBatch({ records: sparse, baseOffset: 10 }));
    writer.appendBatch(
      buildBatch({ records: [{ key: Buffer.alloc(4), value: Buffer.alloc(6) }], baseOffset: 15, attributes: CONTROL_BIT }),
    );
    write(writer, [record('d')]);
    const { errorCode, records } = await load(loads, writer);
    expect([errorCode, records.map(({ key, offset }) => [key, offset])]).toEqual([
      ErrorCode.NONE,
      [
        ['a', 0],
        ['b', 10],
        ['c', 14],
        ['d', 16],
      ],
    ]);
  });

  test('passes over offsets that a topic in memory has acknowledged and could not write', async () => {
    const { writer, loads } = begin();
    Object.assign(writer.view.topic, { config: { ...writer.view.topic.config, durability: 'memory' } });
    write(writer, [record('a')]);
    skip(writer, 5);
    write(writer, [record('b')]);
    expect((await load(loads, writer)).errorCode).toBe(ErrorCode.CORRUPT_MESSAGE);
    writer.view.damage.all.refuse(1, 5);
    const { errorCode, records } = await load(loads, writer);
    expect([errorCode, records.map(({ key, offset }) => [key, offset])]).toEqual([
      ErrorCode.NONE,
      [
        ['a', 0],
        ['b', 5],
      ],
    ]);
  });

  test('goes on in the segment that has taken the place of one it was reading, and tells nothing twice', async () => {
    const { writer, loads } = begin();
    for (let n = 0; n < 200; n++) write(writer, [record(`${n}`, 'x'.repeat(1000))]);
    const { errorCode, records } = await load(loads, writer, (key) => {
      if (key !== '30') return;
      bench.side.reader.retireAll(writer.view.dropSegments(), () => undefined);
      writer.view.loadState(structuredClone(writer.state));
    });
    expect(errorCode).toBe(ErrorCode.NONE);
    expect(records.map(({ offset }) => offset)).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  test('runs beside others, a few at a time, and all of them end', async () => {
    bench = new ReadBench();
    const writers = bench.addTopic('__consumer_offsets', 12);
    for (const writer of writers) for (let n = 0; n < 100; n++) write(writer, [record(`${writer.view.partition}-${n}`, 'x'.repeat(2000))]);
    const loads = loadsOf();
    const loaded = await Promise.all(writers.map((writer) => load(loads, writer)));
    loaded.forEach(({ errorCode, records }, partition) => {
      expect(errorCode).toBe(ErrorCode.NONE);
      expect(records.map(({ key }) => key)).toEqual(Array.from({ length: 100 }, (_, n) => `${partition}-${n}`));
    });
  });
});

describe('a load that cannot be had says so, in one error', () => {
  test('whichever byte of a batch is wrong', async () => {
    const { writer, loads } = begin();
    write(writer, [record('a')]);
    write(writer, [record('b')]);
    write(writer, [record('c')]);
    const { position, bytes } = writer.batches[1]!;
    const missed: number[] = [];
    for (let at = 0; at < bytes.length; at++) {
      writer.flip(0, position + at, at % 8);
      const { errorCode, records } = await load(loads, writer);
      if (errorCode !== ErrorCode.CORRUPT_MESSAGE || records.length > 1) missed.push(at);
      writer.flip(0, position + at, at % 8);
    }
    // The leader epoch lies outside of the CRC and means nothing to a load. So does the base offset, but batches follow each other.
    expect(missed).toEqual([12, 13, 14, 15]);
    expect((await load(loads, writer)).errorCode).toBe(ErrorCode.NONE);
    expect(problems[0]).toContain('of its segment');
  });

  test('when offsets are nowhere: between batches, between segments, at the end', async () => {
    const lost = { errorCode: ErrorCode.CORRUPT_MESSAGE };
    for (const isRolled of [false, true]) {
      const { writer, loads } = begin();
      write(writer, [record('a')]);
      skip(writer, 3);
      if (isRolled) writer.roll();
      write(writer, [record('b')]);
      // As recovery says it of a damaged journal group.
      writer.view.damage.all.refuse(1, 3);
      expect(await load(loads, writer)).toMatchObject(lost);
      bench.close();
    }
    const { writer, loads } = begin();
    write(writer, [record('a')]);
    skip(writer, 3);
    writer.restart();
    expect(await load(loads, writer)).toMatchObject(lost);
    writer.view.onLogStartSet(3, []);
    expect(await load(loads, writer)).toEqual({ errorCode: ErrorCode.NONE, records: [] });
  });

  test('when the batch is compressed, which main never writes', async () => {
    const { writer, loads } = begin();
    writer.appendBatch(buildBatch({ records: [{ key: 'a' }], attributes: 1 }));
    expect(await load(loads, writer)).toEqual({ errorCode: ErrorCode.CORRUPT_MESSAGE, records: [] });
  });

  test('when the file ends early, is gone, or cannot be read', async () => {
    const { writer, loads } = begin();
    for (let n = 0; n < 5; n++) write(writer, [record(`${n}`)]);
    const last = writer.batches[4]!;
    for (const length of [last.position + 30, last.position + last.bytes.length - 1, last.position]) {
      fs.truncateSync(writer.path(0), length);
      const { errorCode, records } = await load(loads, writer);
      expect([errorCode, records.length]).toEqual([ErrorCode.CORRUPT_MESSAGE, 4]);
    }
    writer.restart();
    fs.rmSync(writer.path(0));
    expect(await load(loads, writer)).toEqual({ errorCode: ErrorCode.KAFKA_STORAGE_ERROR, records: [] });
  });

  test('when a failed sync may have left out what it would read', async () => {
    const { writer, loads } = begin();
    for (let n = 0; n < 5; n++) write(writer, [record(`${n}`)]);
    writer.view.onUnsecured(3);
    expect((await load(loads, writer)).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  });

  test('when the coordinator cannot take a record', async () => {
    const { writer, loads } = begin();
    for (let n = 0; n < 3; n++) write(writer, [record(`${n}`)]);
    const loaded = await load(loads, writer, (key) => {
      if (key === '1') throw new Error('what is this?');
    });
    expect(loaded.errorCode).toBe(ErrorCode.UNKNOWN_SERVER_ERROR);
    expect(problems).toEqual(['1: a record could not be taken']);
    expect((await load(loads, writer)).errorCode).toBe(ErrorCode.NONE);
  });

  test('when the topic is deleted, or the broker stops', async () => {
    const { writer, loads } = begin();
    for (let n = 0; n < 200; n++) write(writer, [record(`${n}`, 'x'.repeat(1000))]);
    const stopped = load(loads, writer, () => loads.stop());
    expect((await stopped).errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    const deleted = load(loadsOf(), writer, () => Object.assign(writer.view.topic, { deleted: true }));
    expect((await deleted).errorCode).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  });
});

describe('a load that skips damage tells what is left, and names what is not', () => {
  const keysOf = ({ records }: Loaded): (string | undefined)[] => records.map(({ key }) => key);

  test('a batch with a wrong byte, and offsets that are nowhere', async () => {
    const { writer } = begin();
    for (const key of ['a', 'b', 'c']) write(writer, [record(key)]);
    writer.flip(0, writer.batches[1]!.position + 40, 3);
    skip(writer, 6);
    write(writer, [record('d')]);
    skip(writer, 9);
    writer.roll();
    write(writer, [record('e')]);
    skip(writer, 12);
    writer.restart();
    const loaded = await load(loadsOf(true), writer);
    expect([loaded.errorCode, keysOf(loaded)]).toEqual([ErrorCode.NONE, ['a', 'c', 'd', 'e']]);
    expect(problems.map((problem) => problem.replace(/byte \d+/, 'byte n'))).toEqual([
      '1: the CRC of the batch at byte n of its segment is wrong; goes on behind it',
      '3: offsets up to 5 are missing; goes on behind it',
      '7: offsets up to 8 are missing; goes on behind it',
      '10: offsets up to 11 are missing; goes on behind it',
    ]);
  });

  test('the rest of a segment in which nothing tells where the next batch begins, or that ends early', async () => {
    const { writer } = begin();
    for (const key of ['a', 'b', 'c']) write(writer, [record(key)]);
    writer.roll();
    for (const key of ['d', 'e']) write(writer, [record(key)]);
    writer.flip(0, writer.batches[1]!.position + 8, 7);
    fs.truncateSync(writer.path(3), writer.batches[4]!.position + 30);
    const loaded = await load(loadsOf(true), writer);
    expect([loaded.errorCode, keysOf(loaded)]).toEqual([ErrorCode.NONE, ['a', 'd']]);
    expect(problems).toHaveLength(2);
  });

  test('and still no more than what is on the disk for sure', async () => {
    const { writer } = begin();
    for (let n = 0; n < 5; n++) write(writer, [record(`${n}`)]);
    writer.view.onUnsecured(3);
    expect((await load(loadsOf(true), writer)).errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  });
});
