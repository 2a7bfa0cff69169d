import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { readRecords } from '../../../src/protocol/record.ts';
import { InternalBench } from '../../support/internal-bench.ts';

const recordOf = (bytes: number) => [{ key: Buffer.from('k'), value: Buffer.alloc(bytes) }];

describe('an append of main itself', () => {
  it('reaches its shard as one batch and is told its base offset, not before the shard has secured it', () => {
    const bench = new InternalBench();
    const target = bench.addTarget();
    bench.append(target, 'first');
    bench.append(target, 'two', [
      { key: Buffer.from('a'), value: Buffer.from('1') },
      { key: Buffer.from('b'), value: null },
    ]);
    bench.turn();
    expect(bench.told).toEqual([]);
    bench.shard.step();
    const { position, length } = bench.shard.taken[1]!;
    const records = [...readRecords(bench.regions.bytes.subarray(position, position + length))];
    expect(records.map(({ key, value, timestamp }) => [key?.toString(), value?.toString(), timestamp])).toEqual([
      ['a', '1', 1000n],
      ['b', undefined, 1000n],
    ]);
    bench.turn();
    expect(bench.told).toEqual([
      { name: 'first', errorCode: ErrorCode.NONE, baseOffset: 0 },
      { name: 'two', errorCode: ErrorCode.NONE, baseOffset: 1 },
    ]);
    expect(target.readable.map(({ baseOffset }) => baseOffset)).toEqual([0, 1]);
    expect([bench.usedBytes, bench.own.inFlight, bench.own.waiting]).toEqual([0, 0, 0]);
  });

  it('is told the error of its shard as a coordinator answers it, and those behind it are told theirs', () => {
    const bench = new InternalBench();
    const target = bench.addTarget();
    for (const [error, told] of [
      [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_COORDINATOR],
      [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.COORDINATOR_NOT_AVAILABLE],
      [ErrorCode.RECORD_LIST_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR],
      [ErrorCode.CORRUPT_MESSAGE, ErrorCode.UNKNOWN_SERVER_ERROR],
    ] as const) {
      bench.told.length = 0;
      bench.append(target, 'refused');
      bench.shard.errors.set(target.handle, error);
      bench.turn();
      bench.step(1);
      bench.shard.errors.clear();
      bench.append(target, 'taken');
      bench.turn();
      bench.step();
      expect(bench.told.map(({ errorCode }) => errorCode)).toEqual([told, ErrorCode.NONE]);
      expect(bench.told[0]!.baseOffset).toBe(-1);
      expect(bench.usedBytes).toBe(0);
    }
  });

  it('keeps its bytes until its shard reads them no more, though it was told before (memory topics)', () => {
    const bench = new InternalBench();
    const target = bench.addTarget();
    bench.shard.memory.add(target.handle);
    bench.append(target, 'a');
    bench.turn();
    bench.step();
    expect(bench.names).toEqual(['a']);
    expect(bench.usedBytes).toBeGreaterThan(0);
    bench.shard.write();
    bench.turn();
    expect(bench.usedBytes).toBe(0);
  });

  it('waits for room in the ring, in order, without overtaking whoever waits there already', () => {
    const bench = new InternalBench({ shard: { submissionSlots: 128, completionSlots: 16 } });
    const [one, two] = [bench.addTarget(), bench.addTarget()];
    const { link } = bench.shard;
    const max = link.appendsMax;
    for (let n = 0; n < max; n++) bench.append(one, `one ${n}`);
    expect(bench.own.waiting).toBe(0);
    let turns = 0;
    const client = { onRingRoom: () => ++turns > 0 };
    link.line.add(client);
    bench.append(two, 'two 0');
    bench.append(one, 'one more');
    bench.append(two, 'two 1');
    expect(bench.own.waiting).toBe(3);
    bench.turn();
    expect(turns).toBe(1);
    for (let n = 0; n < 20; n++) bench.step();
    expect(bench.names).toHaveLength(max + 3);
    expect(bench.names.filter((name) => name.startsWith('one'))).toEqual([
      ...Array.from({ length: max }, (_, n) => `one ${n}`),
      'one more',
    ]);
    expect(bench.names.filter((name) => name.startsWith('two'))).toEqual(['two 0', 'two 1']);
    expect([bench.usedBytes, bench.own.waiting, link.line.size]).toEqual([0, 0, 0]);
  });

  it('waits for memory, which no client can take, and first come is first served', () => {
    const bench = new InternalBench({ ownBytes: 16 << 10 });
    const [one, two, three] = [bench.addTarget(), bench.addTarget(), bench.addTarget()];
    bench.append(one, 'a', recordOf(12_000));
    bench.append(two, 'large', recordOf(15_000));
    // It would fit, and does not overtake.
    bench.append(three, 'small', recordOf(10));
    bench.append(one, 'b', recordOf(10));
    bench.turn();
    expect(bench.own.waiting).toBe(3);
    bench.step();
    expect(bench.names).toEqual(['a']);
    bench.step();
    expect(bench.names).toEqual(['a', 'large']);
    bench.step();
    expect(bench.names).toEqual(['a', 'large', 'small', 'b']);
    expect(bench.usedBytes).toBe(0);
  });

  it('is not kept from going on by clients who fill the receive budget', () => {
    const bench = new InternalBench();
    const target = bench.addTarget();
    const grants = [];
    for (;;) {
      const grant = { area: 0, position: 0, bytes: 0, chunk: null } as never;
      if (!bench.regions.tryGrant(grant, 64 * 1024)) break;
      grants.push(grant);
    }
    expect(grants.length).toBeGreaterThan(0);
    bench.append(target, 'a');
    bench.turn();
    bench.step();
    expect(bench.told).toEqual([{ name: 'a', errorCode: ErrorCode.NONE, baseOffset: 0 }]);
  });

  it('is refused, retriably and in its order, when too much waits', () => {
    const bench = new InternalBench({ ownBytes: 4096, waitingMax: 3 });
    const target = bench.addTarget();
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) bench.append(target, name);
    bench.turn();
    // In its order: what came before has no outcome yet.
    expect(bench.names).toEqual([]);
    for (let n = 0; n < 4; n++) bench.step();
    expect(bench.told.map(({ name, errorCode }) => [name, errorCode])).toEqual([
      ['a', 0],
      ['b', 0],
      ['c', 0],
      ['d', 0],
      ['e', ErrorCode.COORDINATOR_NOT_AVAILABLE],
      ['f', ErrorCode.COORDINATOR_NOT_AVAILABLE],
    ]);
    bench.append(target, 'again');
    bench.step();
    bench.step();
    expect(bench.told.at(-1)).toEqual({ name: 'again', errorCode: 0, baseOffset: 4 });
  });

  it('is refused when the bytes that wait are too many, and one that is large may always wait alone', () => {
    const bench = new InternalBench({ ownBytes: 64 << 10, waitingBytesMax: 20_000 });
    const target = bench.addTarget();
    bench.append(target, 'fills', recordOf(60_000));
    bench.append(target, 'large', recordOf(30_000));
    bench.append(target, 'more', recordOf(10));
    for (let n = 0; n < 3; n++) bench.step();
    expect(bench.told.map(({ errorCode }) => errorCode)).toEqual([0, 0, ErrorCode.COORDINATOR_NOT_AVAILABLE]);
  });

  it('that could never be taken is refused for good', () => {
    const bench = new InternalBench({ ownBytes: 64 << 10 });
    const target = bench.addTarget();
    bench.append(target, 'no memory could hold it', recordOf(70_000));
    Object.assign(target.topic.config, { maxMessageBytes: 5000 });
    bench.append(target, 'the topic would not take it', recordOf(6000));
    expect(bench.told).toEqual([]);
    bench.turn();
    expect(bench.told.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.UNKNOWN_SERVER_ERROR, ErrorCode.UNKNOWN_SERVER_ERROR]);
  });

  it('waits while its partition moves to another shard, and follows it', () => {
    const bench = new InternalBench();
    const other = bench.addShard({ class: 'buffered' });
    const target = bench.addTarget();
    bench.append(target, 'before');
    bench.turn();
    target.state = 'moving';
    bench.append(target, 'while');
    bench.append(target, 'too');
    bench.step();
    expect(bench.names).toEqual(['before']);
    target.link = other.link;
    target.becomeOnline();
    bench.append(target, 'after');
    bench.turn();
    bench.step(undefined, other);
    expect(bench.names).toEqual(['before', 'while', 'too', 'after']);
    expect(other.taken).toHaveLength(3);
  });

  it('of a partition that moved away while it waited in the line of a ring goes to the new shard', () => {
    const bench = new InternalBench({ shard: { submissionSlots: 128, completionSlots: 16 } });
    const other = bench.addShard({ class: 'buffered' });
    const [stays, moves] = [bench.addTarget(), bench.addTarget()];
    const { appendsMax } = bench.shard.link;
    for (let n = 0; n < appendsMax; n++) bench.append(stays, `s${n}`);
    bench.append(moves, 'moves');
    expect(bench.shard.link.line.size).toBe(1);
    moves.link = other.link;
    bench.step();
    bench.step(undefined, other);
    expect(bench.names).toContain('moves');
    expect([other.taken.length, bench.shard.link.line.size]).toEqual([1, 0]);
  });

  it('is refused while no shard has its partition', () => {
    const bench = new InternalBench();
    const [offline, deleted] = [bench.addTarget(), bench.addTarget()];
    offline.state = 'offline';
    deleted.topic.deleted = true;
    bench.append(offline, 'a');
    bench.append(deleted, 'b');
    bench.turn();
    expect(bench.told.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR]);
  });

  it('is told one outcome when the broker stops or its shard has died, whatever it waits for, and none later', () => {
    const bench = new InternalBench({ ownBytes: 8192 });
    const [one, two] = [bench.addTarget(), bench.addTarget()];
    bench.append(one, 'submitted');
    two.state = 'moving';
    bench.append(two, 'moving');
    bench.append(one, 'large', recordOf(7000));
    bench.turn();
    bench.own.stop();
    expect(new Set(bench.names)).toEqual(new Set(['submitted', 'moving', 'large']));
    expect(bench.told.map(({ errorCode }) => errorCode)).toEqual(Array(3).fill(ErrorCode.COORDINATOR_NOT_AVAILABLE));
    two.becomeOnline();
    bench.append(one, 'late');
    bench.step();
    expect(bench.told).toHaveLength(4);
    expect(bench.told[3]).toEqual({ name: 'late', errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, baseOffset: -1 });
    expect([bench.usedBytes, bench.shard.total]).toEqual([0, 1]);
  });

  it('may be made by whoever is told of another', () => {
    const bench = new InternalBench();
    const target = bench.addTarget();
    const told: number[] = [];
    const again = (errorCode: number): void => {
      told.push(errorCode);
      if (told.length < 5) bench.own.append(target, recordOf(5), again);
    };
    bench.own.append(target, recordOf(5), again);
    target.state = 'offline';
    for (let n = 0; n < 3; n++) bench.step();
    target.state = 'online';
    for (let n = 0; n < 3; n++) bench.step();
    expect(told).toEqual([0, ErrorCode.NOT_COORDINATOR, ErrorCode.NOT_COORDINATOR, 0, 0]);
  });

  it('is told once and in order of its partition, whatever comes between', () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), target: fc.nat(3), bytes: fc.nat(6000) }),
      fc.record({ kind: fc.constant('step' as const), max: fc.nat(4) }),
      fc.record({ kind: fc.constant('fail' as const), target: fc.nat(3), fails: fc.boolean() }),
      fc.record({ kind: fc.constant('move' as const), target: fc.nat(3), state: fc.constantFrom('online', 'moving', 'offline') }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 150 }), (actions) => {
        const limits = { waitingMax: 6, waitingBytesMax: 20_000 };
        const bench = new InternalBench({ ownBytes: 16 << 10, shard: { submissionSlots: 128, completionSlots: 8 }, ...limits });
        const targets = [bench.addTarget(), bench.addTarget(), bench.addTarget(), bench.addTarget()];
        const called: string[][] = targets.map(() => []);
        for (const act of actions) {
          if (act.kind === 'step') bench.step(act.max);
          else {
            const target = targets[act.target]!;
            if (act.kind === 'append') {
              const name = `${act.target}:${called[act.target]!.length}`;
              called[act.target]!.push(name);
              bench.append(target, name, recordOf(act.bytes));
            } else if (act.kind === 'fail') {
              if (act.fails) bench.shard.errors.set(target.handle, ErrorCode.KAFKA_STORAGE_ERROR);
              else bench.shard.errors.clear();
            } else if (act.state === 'moving') {
              if (target.state === 'online') target.state = 'moving';
            } else if (act.state === 'online') target.becomeOnline();
            else if (target.state === 'online') target.state = 'offline';
          }
          expect(bench.own.waiting).toBeLessThanOrEqual(limits.waitingMax);
        }
        for (const target of targets) target.becomeOnline();
        for (let n = 0; n < 200; n++) bench.step();
        targets.forEach((_, i) => expect(bench.names.filter((name) => name.startsWith(`${i}:`))).toEqual(called[i]));
        const offsets = bench.told.filter(({ errorCode }) => errorCode === 0);
        targets.forEach((_, i) => {
          const own = offsets.filter(({ name }) => name.startsWith(`${i}:`)).map(({ baseOffset }) => baseOffset);
          expect(own).toEqual(own.map((_base, n) => n));
        });
        expect([bench.usedBytes, bench.own.inFlight, bench.own.waiting]).toEqual([0, 0, 0]);
      }),
    );
  });
});
