/** Compaction of a log: what stays, what goes, and what is left alone. */
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { KeyMap } from '../../../src/jobs/key-map.ts';
import { OffsetSet } from '../../../src/jobs/offset-set.ts';
import type { SegmentState } from '../../../src/log/partition-state.ts';
import { baseTimestamp, compression, lastOffsetDelta, recordCount } from '../../../src/protocol/record-batch.ts';
import { DiskError } from '../../../src/log/disk.ts';
import { KeyedLog, latestOf, type Keyed } from '../../support/keyed-log.ts';

const put = (key: string, value: string | null, timestamp = 1000): Keyed => ({ key, value, timestamp });
const shown = (log: KeyedLog): string[] => log.records().map(({ offset, key, value }) => `${offset} ${key}=${value}`);

describe('a pass', () => {
  it('keeps the last record of each key under its offset, and puts several small segments into one', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1'), put('b', '1')], [put('a', '2')]]);
    log.addSegment([[put('c', '1')], [put('b', '2'), put('d', '1')]]);
    log.clean();
    expect(shown(log)).toEqual(['2 a=2', '3 c=1', '4 b=2', '5 d=1']);
    expect(log.state.segments).toMatchObject([{ baseOffset: 0, endOffset: 6 }]);
    expect(log.state.cleanedEnd).toBe(6);
  });

  it('leaves the header of a batch that loses records as it was: offsets, producer, epoch, times', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1', 5000), put('b', '1', 6000), put('a', '2', 7000), put('b', '2', 5500)]]);
    log.clean();
    const batch = log.batchesOf(log.state.segments[0] as SegmentState)[0] as Buffer;
    expect([lastOffsetDelta(batch, 0), recordCount(batch, 0), baseTimestamp(batch, 0)]).toEqual([3, 2, 5000]);
    expect(log.records()).toMatchObject([
      { offset: 2, timestamp: 7000 },
      { offset: 3, timestamp: 5500 },
    ]);
  });

  it('replaces what an earlier pass has kept, and reads only the keys of what is new', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1'), put('b', '1')]]);
    log.clean();
    log.addSegment([[put('a', '2')]]);
    log.clean();
    expect(shown(log)).toEqual(['1 b=1', '2 a=2']);
  });

  it('drops records without key, as Kafka does', () => {
    const log = new KeyedLog();
    log.addSegment([[{ key: null, value: 'x' }, put('a', '1')]]);
    log.clean();
    expect(shown(log)).toEqual(['1 a=1']);
  });

  it('tells keys apart that differ in length, in a byte, or not within the first fifteen bytes', () => {
    const long = 'k'.repeat(40);
    const log = new KeyedLog();
    const keys = ['', '\0', '\0\0', 'a', 'k'.repeat(15), 'k'.repeat(16), `${long}1`, `${long}2`];
    log.addSegment([keys.map((key) => put(key, '1')), [put(`${long}1`, '2')]]);
    log.clean();
    expect(log.latest()).toEqual(new Map([...keys.map((key) => [key, '1'] as const), [`${long}1`, '2']]));
    expect(log.records()).toHaveLength(keys.length);
  });

  it('writes no new file where nothing goes', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1')]]);
    expect(log.clean().segments).toEqual([]);
    expect(log.disk.paths().filter((path) => path.endsWith('.log'))).toHaveLength(1);
  });

  it('makes no segment larger than asked for', () => {
    const log = new KeyedLog();
    for (let i = 0; i < 4; i++) log.addSegment([[put('same', 'x'.repeat(500)), put(`k${i}`, 'y'.repeat(500))]]);
    log.clean({ segmentBytes: 2500 });
    expect(log.state.segments.map(({ baseOffset }) => baseOffset)).toEqual([0, 4]);
  });

  it('stops where its memory for keys ends, and goes on there the next time', () => {
    const log = new KeyedLog();
    for (let i = 0; i < 10; i++) log.addSegment([Array.from({ length: 5 }, (_, k) => put(`k${i}-${k}`, '1')), [put('a', String(i))]]);
    const before = log.latest();
    const ends: number[] = [];
    for (let i = 0; i < 20 && ends.at(-1) !== log.state.endOffset; i++) ends.push(log.clean({ keyBytesMax: 24 * 18 }).cleanedEnd);
    expect(ends.length).toBeGreaterThan(2);
    expect(ends).toEqual([...ends].sort((a, b) => a - b));
    expect(log.latest()).toEqual(before);
    expect(log.records()).toHaveLength(51);
  });

  it('gets past a batch with more keys than its memory holds: it stays whole', () => {
    const log = new KeyedLog();
    log.addSegment([Array.from({ length: 40 }, (_, k) => put(`k${k % 20}`, String(k)))]);
    log.addSegment([[put('z', '1')], [put('z', '2')]]);
    expect(log.clean({ keyBytesMax: 24 * 18 }).cleanedEnd).toBe(42);
    expect(log.records()).toHaveLength(41);
  });

  it('opens compressed batches, and compresses what it writes of them', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1'), put('b', '1')], [put('a', '2')]], true);
    log.clean();
    expect(shown(log)).toEqual(['1 b=1', '2 a=2']);
    expect(log.batchesOf(log.state.segments[0] as SegmentState).map((batch) => compression(batch, 0))).toEqual([1, 1]);
  });

  it('copies control batches and does not take their keys for keys', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1')]]);
    log.addSegment([[put('a', '2')]], false, 0x20 | 0x10);
    log.clean();
    expect(log.records()).toHaveLength(2);
  });
});

describe('a tombstone', () => {
  it('stays for delete.retention.ms after the pass that found nothing older of its key, then goes', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1'), put('b', '1', 1234)], [put('a', null, 1500)]]);
    log.clean({ nowMs: 10_000, deleteRetentionMs: 500 });
    expect(log.records()).toMatchObject([put('b', '1', 1234), put('a', null, 1500)]);
    log.addSegment([[put('c', '1')]]);
    log.clean({ nowMs: 10_499 });
    expect(shown(log)).toEqual(['1 b=1', '2 a=null', '3 c=1']);
    log.addSegment([[put('d', '1')]]);
    log.clean({ nowMs: 10_500 });
    expect(shown(log)).toEqual(['1 b=1', '3 c=1', '4 d=1']);
  });

  it('goes at once when a later record of its key is there', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', null)], [put('a', '2')]]);
    log.clean();
    expect(shown(log)).toEqual(['1 a=2']);
  });

  it('stays for ever behind what could not be read: that may be what it deletes', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1')], [put('x', '1')]]);
    log.addSegment([[put('a', null)]]);
    log.disk.corrupt(log.pathOf(log.state.segments[0] as SegmentState), 70);
    log.clean({ nowMs: 10_000, deleteRetentionMs: 0 });
    log.addSegment([[put('b', '1')]]);
    log.clean({ nowMs: 99_000, deleteRetentionMs: 0 });
    expect(log.recordsOf(log.state.segments.at(-1) as SegmentState).map(({ key }) => key)).toEqual(['a', 'b']);
  });
});

it('a tombstone stays for ever behind a batch with more keys than memory holds, in the pass that meets it and in all later ones', () => {
  const log = new KeyedLog();
  log.addSegment([Array.from({ length: 20 }, (_, k) => put(`k${k}`, '1'))]);
  log.addSegment([[put('k3', null)]]);
  for (let pass = 0; pass < 4; pass++) {
    // What is left of the batch would fit.
    log.addSegment([Array.from({ length: 10 }, (_, k) => put(`k${k + 4}`, String(pass)))]);
    log.clean({ keyBytesMax: 24 * 18, nowMs: 10_000 + pass * 1000 });
    expect(log.latest().has('k3'), `pass ${pass}`).toBe(false);
    expect(log.latest().size).toBe(19);
  }
});

describe('damage', () => {
  it('keeps its segment as it is, byte for byte; what is around is compacted', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1')], [put('b', '1')]]);
    log.addSegment([[put('c', '1')], [put('a', '2')], [put('d', '1')]]);
    log.addSegment([[put('b', '2')], [put('e', '1')]]);
    const damaged = log.state.segments[1] as SegmentState;
    log.disk.corrupt(log.pathOf(damaged), 70);
    log.clean();
    expect(log.state.segments.map(({ baseOffset }) => baseOffset)).toEqual([0, 2, 5]);
    expect(log.state.segments[1]).toBe(damaged);
    // The pass could not see the record that would replace a=1.
    expect(log.recordsOf(log.state.segments[0] as SegmentState)).toMatchObject([put('a', '1')]);
  });

  it('that is known keeps a segment out of it from the start', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1')], [put('a', '2')]]);
    log.state.damaged = [{ from: 1, to: 2 }];
    expect(log.clean().segments).toEqual([]);
  });

  it('that is known replaces nothing, however whole its bytes are: the readable value of a key stays, and what is around is compacted', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1'), put('b', '1')]]);
    log.addSegment([[put('a', '2')]]);
    log.addSegment([[put('b', '2')]]);
    log.state.damaged = [{ from: 2, to: 3 }];
    expect(log.clean().cleanedEnd).toBe(4);
    expect(shown(log)).toEqual(['0 a=1', '2 a=2', '3 b=2']);
    // Nor in any later pass.
    log.addSegment([[put('c', '1')]]);
    log.clean();
    expect(shown(log)).toEqual(['0 a=1', '2 a=2', '3 b=2', '4 c=1']);
  });

  it('may be a missing file: what is around is compacted', () => {
    const log = new KeyedLog();
    log.addSegment([[put('a', '1'), put('b', '1')]]);
    log.addSegment([[put('a', '2')]]);
    log.addSegment([[put('b', '2')]]);
    log.disk.unlink(log.pathOf(log.state.segments[1] as SegmentState));
    log.state.damaged = [{ from: 2, to: 3 }];
    expect(log.clean().cleanedEnd).toBe(4);
    expect(log.state.segments.map(({ baseOffset }) => baseOffset)).toEqual([0, 2, 3]);
    expect(log.recordsOf(log.state.segments[0] as SegmentState)).toMatchObject([put('a', '1')]);
  });
});

test('refused offsets between two segments stay: neighbours are put together only where one goes on where the other ends', () => {
  const log = new KeyedLog();
  log.addSegment([[put('a', '1')], [put('b', '1')]]);
  log.state.damaged = [{ from: 2, to: 12 }];
  log.state.endOffset = 12;
  log.addSegment([[put('b', '2')], [put('a', '2')]]);
  log.addSegment([[put('c', '1')]]);
  log.clean();
  expect(log.state.segments.map(({ baseOffset, endOffset }) => [baseOffset, endOffset])).toEqual([
    [0, 2],
    [12, 15],
  ]);
  expect(shown(log)).toEqual(['12 b=2', '13 a=2', '14 c=1']);
});

test('a disk that is full ends the pass without a trace', () => {
  const log = new KeyedLog();
  log.addSegment([[put('a', '1')], [put('a', '2')]]);
  const before = log.disk.paths();
  const write = log.disk.write.bind(log.disk);
  log.disk.write = () => {
    throw new DiskError('ENOSPC', 'write', 'somewhere');
  };
  expect(() => log.clean()).toThrow('ENOSPC');
  log.disk.write = write;
  expect(log.disk.paths()).toEqual(before);
  expect(log.disk.openPaths).toEqual([]);
});

test('whatever was written and compacted, the last value of each key is there, offsets rise, and a key has one record where a pass went', () => {
  const record = fc.record({
    key: fc.oneof(fc.constantFrom('a', 'b', 'c', 'd', 'long-key-long-key-1', 'long-key-long-key-2')),
    value: fc.option(fc.string({ maxLength: 5 }), { nil: null, freq: 4 }),
    timestamp: fc.integer({ min: 0, max: 2000 }),
  });
  const segment = fc.record({
    kind: fc.constant('segment' as const),
    batches: fc.array(fc.array(record, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
    gzip: fc.boolean(),
  });
  const clean = fc.record({
    kind: fc.constant('clean' as const),
    keyBytesMax: fc.constantFrom(1 << 20, 24 * 16),
    segmentBytes: fc.constantFrom(200, 500, 1 << 20),
    elapsedMs: fc.integer({ min: 0, max: 1000 }),
  });
  fc.assert(
    fc.property(fc.array(fc.oneof(segment, clean), { maxLength: 12 }), (steps) => {
      const log = new KeyedLog();
      const written: Keyed[] = [];
      let nowMs = 10_000;
      for (const step of steps) {
        if (step.kind === 'segment') {
          log.addSegment(step.batches, step.gzip);
          written.push(...step.batches.flat());
          continue;
        }
        nowMs += step.elapsedMs;
        log.clean({ ...step, nowMs });
        const records = log.records();
        expect(latestOf(records)).toEqual(latestOf(written));
        // No record is another than the one that was written under its offset.
        for (const { offset, ...found } of records) expect(found).toEqual(written[offset]);
        expect(records.map(({ offset }) => offset)).toEqual([...new Set(records.map(({ offset }) => offset))].sort((a, b) => a - b));
        const cleaned = records.filter(({ offset }) => offset < (log.state.cleanedEnd as number));
        expect(new Set(cleaned.map(({ key }) => key)).size).toBe(cleaned.length);
        if (log.state.segments.length > 0) expect(log.state.segments.at(-1)?.endOffset).toBe(log.state.endOffset);
      }
    }),
    { numRuns: 300 },
  );
});

test('the map of keys finds what was put in, up to its limit', () => {
  const map = new KeyMap(24 * 100, 1e9);
  let count = 0;
  for (; map.hasRoom(1); count++) {
    const key = Buffer.from(`key-${count}-${'x'.repeat(count % 30)}`);
    expect(map.put(key, 0, key.length, count * 2)).toBe(-1);
  }
  expect(count).toBe(90);
  for (let i = 0; i < count; i++) {
    const key = Buffer.from(`__key-${i}-${'x'.repeat(i % 30)}`);
    expect(map.get(key, 2, key.length - 2)).toBe(i * 2);
  }
  expect(map.get(Buffer.from('other'), 0, 5)).toBe(-1);
});

test('a set of offsets answers for single ones and for ranges as a plain set does', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 299 })),
      fc.integer({ min: 0, max: 299 }),
      fc.integer({ min: 0, max: 99 }),
      (in_, at, span) => {
        const set = new OffsetSet(2 ** 40, 2 ** 40 + 300);
        for (const offset of in_) set.add(2 ** 40 + offset);
        expect(set.has(2 ** 40 + at)).toBe(in_.includes(at));
        expect(set.hasAny(2 ** 40 + at, 2 ** 40 + at + span)).toBe(in_.some((offset) => offset >= at && offset <= at + span));
      },
    ),
  );
});
