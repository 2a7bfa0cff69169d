/** What a partition remembers of idempotent producers, and how it judges their batches: as Kafka does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_PRODUCERS, PRODUCER_ROW_BYTES, ProducerTable, sequenceAfter } from '../../../src/log/producer-table.ts';
import { NO_ENTRY, ProducerUndo } from '../../../src/log/producer-undo.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';

const { NONE, DUPLICATE_SEQUENCE_NUMBER, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_PRODUCER_EPOCH } = ErrorCode;
const INT_MAX = 0x7fff_ffff;
const ID = 7;
/** See the row's layout. */
const NOTED_COLUMN = 3;

/** Appends batches of ten records each, from sequence `from` on, one after the other from offset 100 on. */
function tableOf(batches: number, from = 0, epoch = 0): ProducerTable {
  const table = new ProducerTable();
  for (let n = 0; n < batches; n++) {
    const first = sequenceAfter(from, 10 * n);
    table.note(ID, epoch, first, sequenceAfter(first, 9), 100 + 10 * n, 1000 + n, 50 + n);
  }
  table.commit();
  return table;
}

describe('judging', () => {
  test('an unknown producer may begin with any sequence, as in Kafka', () => {
    expect(new ProducerTable().judge(ID, 3, 4711, 4720)).toBe(NONE);
  });

  test('a batch follows the last one or is refused', () => {
    const table = tableOf(2);
    expect(table.judge(ID, 0, 20, 29)).toBe(NONE);
    expect(table.judge(ID, 0, 21, 30)).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(table.judge(ID, 0, 19, 28)).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(table.judge(ID + 1, 0, 19, 28)).toBe(NONE);
  });

  test('each of the last five batches is known again, with its first offset and time; the sixth is out of order', () => {
    const table = tableOf(8);
    for (let n = 3; n < 8; n++) {
      expect(table.judge(ID, 0, 10 * n, 10 * n + 9)).toBe(DUPLICATE_SEQUENCE_NUMBER);
      expect([table.duplicateOffset, table.duplicateTimestamp]).toEqual([100 + 10 * n, 1000 + n]);
    }
    expect(table.judge(ID, 0, 20, 29)).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
  });

  test('half of a batch is not that batch', () => {
    const table = tableOf(3);
    expect(table.judge(ID, 0, 10, 18)).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(table.judge(ID, 0, 11, 19)).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
  });

  test('a new epoch begins with 0, forgets the batches of the old one, and refuses it', () => {
    const table = tableOf(3);
    expect(table.judge(ID, 1, 30, 39)).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(table.judge(ID, 1, 0, 9)).toBe(NONE);
    table.note(ID, 1, 0, 9, 130, 2000, 60);
    table.commit();
    expect(table.judge(ID, 1, 0, 9)).toBe(DUPLICATE_SEQUENCE_NUMBER);
    expect(table.duplicateOffset).toBe(130);
    expect(table.judge(ID, 1, 20, 29)).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
    expect(table.judge(ID, 0, 20, 29)).toBe(INVALID_PRODUCER_EPOCH);
  });

  test('sequences go on at 0 behind the largest int32, also within a batch', () => {
    const table = tableOf(1, INT_MAX - 4);
    expect(sequenceAfter(INT_MAX - 4, 9)).toBe(4);
    expect(table.judge(ID, 0, INT_MAX - 4, 4)).toBe(DUPLICATE_SEQUENCE_NUMBER);
    expect(table.judge(ID, 0, 5, 14)).toBe(NONE);
    const full = tableOf(1, INT_MAX - 9);
    expect(full.judge(ID, 0, 0, 9)).toBe(NONE);
    expect(full.judge(ID, 0, 1, 9)).toBe(OUT_OF_ORDER_SEQUENCE_NUMBER);
  });

  test.for([2 ** 31 - 1, 2 ** 31, 2 ** 40 + 3])('the last five batches are known when %i were noted', (noted) => {
    // As if so many had been before: the last one lies in place (noted - 1) mod 5.
    const snapshot = new Float64Array(new Uint8Array(tableOf(5 + (noted % 5)).toBytes()).buffer);
    snapshot[NOTED_COLUMN] = noted;
    const table = new ProducerTable(new Uint8Array(snapshot.buffer));
    let last = 5 + (noted % 5);
    for (; last < 14; last++) {
      for (let n = last - 5; n < last; n++) {
        expect(table.judge(ID, 0, 10 * n, 10 * n + 9)).toBe(DUPLICATE_SEQUENCE_NUMBER);
        expect(table.duplicateOffset).toBe(100 + 10 * n);
      }
      expect(table.judge(ID, 0, 10 * last, 10 * last + 9)).toBe(NONE);
      table.note(ID, 0, 10 * last, 10 * last + 9, 100 + 10 * last, 0, 60);
      table.commit();
    }
  });
});

describe('the group in work', () => {
  test('what was staged counts at once, and a rollback takes it all back', () => {
    const table = tableOf(6);
    const before = table.toBytes();
    for (let n = 6; n < 14; n++) table.note(ID, 0, 10 * n, 10 * n + 9, 100 + 10 * n, 0, 99);
    table.note(8, 0, 0, 0, 180, 0, 99);
    table.note(ID, 1, 0, 9, 181, 0, 99);
    expect(table.judge(ID, 1, 0, 9)).toBe(DUPLICATE_SEQUENCE_NUMBER);
    table.rollback();
    expect(table.toBytes()).toEqual(before);
    expect([table.count, table.has(8)]).toEqual([1, false]);
    expect(table.judge(ID, 0, 60, 69)).toBe(NONE);
  });

  test('a commit makes it stay', () => {
    const table = tableOf(1);
    table.note(8, 0, 0, 0, 110, 0, 99);
    table.commit();
    table.rollback();
    expect(table.has(8)).toBe(true);
  });

  test('whoever has batches in it is not forgotten', () => {
    const table = tableOf(1);
    table.note(8, 0, 0, 0, 110, 0, 10);
    expect(table.forgetIdle(1000)).toBe(1);
    expect([table.has(ID), table.has(8)]).toEqual([false, true]);
    table.rollback();
    expect(table.count).toBe(0);
  });
});

describe('tables that share what can be undone', () => {
  test('one is rolled back, the other keeps what was noted in between', () => {
    const undo = new ProducerUndo();
    const [kept, refused] = [new ProducerTable(undefined, undo), new ProducerTable(undefined, undo)];
    const alone = new ProducerTable();
    for (const table of [kept, refused, alone]) {
      table.note(ID, 0, 0, 9, 100, 0, 50);
      table.commit();
    }
    const before = refused.toBytes();
    // Twice, so that the second group meets what the first one left; more batches than the undo has room for at first.
    for (let group = 0; group < 2; group++) {
      for (let n = 0; n < 100; n++) {
        const sequence = 10 + 100 * group + n;
        for (const table of [kept, refused, alone]) table.note(ID, 0, sequence, sequence, 110 + n, n, 60);
        refused.note(8 + n, 0, 0, 0, 500 + n, n, 60);
      }
      // What the one begins before the other is done must not lie on what that needs.
      for (const table of [kept, alone]) {
        table.commit();
        table.note(9, 0, group, group, 300 + group, 0, 60);
      }
      refused.rollback();
      kept.commit();
      alone.commit();
      expect(kept.toBytes()).toEqual(alone.toBytes());
      expect(refused.toBytes()).toEqual(before);
    }
  });

  test('it is empty again when nothing is in work', () => {
    const undo = new ProducerUndo();
    const tables = [new ProducerTable(undefined, undo), new ProducerTable(undefined, undo)];
    for (const table of tables) for (let n = 0; n < 3; n++) table.note(ID, 0, n, n, n, 0, 0);
    tables[0]?.commit();
    tables[1]?.rollback();
    expect(undo.add(NO_ENTRY, new Float64Array(26), 0, 6)).toBe(0);
  });

  test('a copy is one of them, and a table for itself', () => {
    const table = tableOf(3);
    const copy = table.copy();
    table.note(ID, 0, 30, 39, 130, 0, 60);
    copy.note(8, 0, 0, 9, 130, 0, 60);
    copy.rollback();
    table.commit();
    expect(copy.toBytes()).toEqual(tableOf(3).toBytes());
    expect(table.judge(ID, 0, 30, 39)).toBe(DUPLICATE_SEQUENCE_NUMBER);
  });
});

describe('forgetting', () => {
  test('amid a group moves rows of it, which are rolled back all the same', () => {
    const table = new ProducerTable();
    for (const [id, lastMs] of [
      [1, 0],
      [ID, 100],
    ] as const)
      table.note(id, 0, 0, 9, id, 0, lastMs);
    table.commit();
    const alone = new ProducerTable();
    alone.note(ID, 0, 0, 9, ID, 0, 100);
    alone.commit();
    table.note(ID, 0, 10, 19, 20, 0, 5);
    table.note(8, 0, 0, 9, 30, 0, 5);
    table.note(ID, 0, 20, 29, 40, 0, 5);
    expect(table.forgetIdle(50)).toBe(1);
    table.rollback();
    expect(table.toBytes()).toEqual(alone.toBytes());
  });

  test('those who were silent for too long go, the others keep what is known of them', () => {
    const table = new ProducerTable();
    for (let id = 0; id < 10; id++) table.note(id, 0, 0, 9, id * 10, 0, id);
    table.commit();
    expect(table.forgetIdle(7)).toBe(7);
    expect(
      table
        .all()
        .map(({ id }) => id)
        .sort((a, b) => a - b),
    ).toEqual([7, 8, 9]);
    for (const id of [7, 8, 9]) {
      expect(table.judge(id, 0, 0, 9)).toBe(DUPLICATE_SEQUENCE_NUMBER);
      expect(table.duplicateOffset).toBe(id * 10);
    }
    expect(table.forgetOldest(1)).toBe(2);
    expect(table.all().map(({ id }) => id)).toEqual([9]);
  });
});

describe('a log that is cut', () => {
  test('batches that reach beyond the end are forgotten, and those who wrote nothing before it', () => {
    const table = tableOf(3);
    table.note(8, 0, 0, 9, 130, 0, 50);
    table.commit();
    expect(table.cut(125)).toEqual([]);
    expect(table.has(8)).toBe(false);
    expect(table.judge(ID, 0, 20, 29)).toBe(NONE);
    expect(table.judge(ID, 0, 10, 19)).toBe(DUPLICATE_SEQUENCE_NUMBER);
  });

  test('says of whom there is more in the log', () => {
    const table = tableOf(9);
    const [incomplete, ...others] = table.cut(165);
    expect(others).toEqual([]);
    expect(incomplete).toMatchObject({ id: ID, firstOffset: 100, batches: [{ baseOffset: 140 }, { baseOffset: 150 }] });
  });
});

test('a snapshot brings back the same table, and no snapshot an empty one', () => {
  const table = tableOf(7);
  table.note(9, 4, 3, 3, 500, 1, 2);
  table.commit();
  const bytes = table.toBytes();
  expect(bytes.length).toBe(2 * PRODUCER_ROW_BYTES);
  // From the middle of a larger buffer, as a checkpoint holds it.
  const copy = new ProducerTable(Buffer.concat([Buffer.from([1, 2, 3]), bytes]).subarray(3));
  expect(copy.all()).toEqual(table.all());
  expect(copy.toBytes()).toEqual(bytes);
  expect(new ProducerTable(undefined).toBytes()).toBe(NO_PRODUCERS);
});

test('whatever is appended, refused and forgotten: a table is what its appends make it', () => {
  const append = fc.record({ id: fc.integer({ min: 0, max: 5 }), size: fc.integer({ min: 1, max: 3 }), bump: fc.boolean() });
  const group = fc.record({ appends: fc.array(append, { minLength: 1, maxLength: 12 }), fails: fc.boolean() });
  fc.assert(
    fc.property(fc.array(group, { maxLength: 30 }), (groups) => {
      const table = new ProducerTable();
      const kept = new ProducerTable();
      const next = new Map<number, { epoch: number; sequence: number }>();
      let offset = 0;
      for (const { appends, fails } of groups) {
        const before = { next: new Map(next), offset };
        for (const { id, size, bump } of appends) {
          let at = next.get(id) ?? { epoch: 0, sequence: 0 };
          if (bump) at = { epoch: at.epoch + 1, sequence: 0 };
          const last = at.sequence + size - 1;
          expect(table.judge(id, at.epoch, at.sequence, last)).toBe(NONE);
          table.note(id, at.epoch, at.sequence, last, offset, 0, 0);
          if (!fails) {
            kept.note(id, at.epoch, at.sequence, last, offset, 0, 0);
            kept.commit();
          }
          next.set(id, { epoch: at.epoch, sequence: last + 1 });
          offset += size;
        }
        if (!fails) table.commit();
        else {
          table.rollback();
          next.clear();
          for (const [id, at] of before.next) next.set(id, at);
          offset = before.offset;
        }
      }
      expect(table.toBytes()).toEqual(kept.toBytes());
    }),
  );
});
