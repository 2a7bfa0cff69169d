/** Journal groups and checkpoints as bytes: what is written is read back, and nothing else is believed. */
import { expect, test } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../../src/log/checkpoint.ts';
import {
  alignGroup,
  APPEND_ENTRY_BYTES,
  encodeControlEntry,
  EntryType,
  GROUP_ALIGNMENT,
  GROUP_HEADER_BYTES,
  readGroup,
  sealGroup,
  vouchFor,
  writeAppendEntry,
} from '../../../src/log/journal-layout.ts';
import { Journal } from '../../../src/log/journal.ts';
import { readJournal } from '../../../src/log/journal-reader.ts';
import { writeZeros } from '../../../src/log/room.ts';
import { emptyPartition } from '../../../src/log/partition-state.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { crc32cAt } from '../../../src/protocol/crc32c.ts';
import { setLogAppendTime, stampBatch } from '../../../src/protocol/record-batch.ts';
import { buildBatch } from '../../../src/protocol/record.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';

const GENERATION = 0x1122334455667788n;

function group(sequence: number, syncedThrough: number): Buffer {
  const batch = buildBatch({ records: [{ value: `value ${sequence}` }, { value: 'second' }], baseTimestamp: 1700 });
  stampBatch(batch, 0, 100 + sequence, 7);
  const cut = { endOffset: 42, segmentBase: 40, endPosition: 4096, producers: new Uint8Array([1, 2, 3]) };
  const control = encodeControlEntry(5, { type: EntryType.truncate, ...cut });
  const out = Buffer.alloc(GROUP_HEADER_BYTES + control.length + APPEND_ENTRY_BYTES);
  control.copy(out, GROUP_HEADER_BYTES);
  writeAppendEntry(out, GROUP_HEADER_BYTES + control.length, true, 9, 100 + sequence, 1, 64, 2048, batch, 0, batch.length, 0, 1700, 7);
  sealGroup(out, GENERATION, sequence, syncedThrough, 2, control.length + APPEND_ENTRY_BYTES, batch.length, 1);
  return Buffer.concat([out, batch]);
}

test('a group is read back as written', () => {
  const bytes = group(3, 2);
  const found = readGroup(bytes, 0, GENERATION);
  expect(found).toMatchObject({ sequence: 3, syncedThrough: 2, bytes: bytes.length });
  expect(found?.entries).toMatchObject([
    { type: 'control', handle: 5, body: { type: EntryType.truncate, endOffset: 42, segmentBase: 40, endPosition: 4096 } },
    { handle: 9, inline: true, baseOffset: 103, lastOffsetDelta: 1, segmentBase: 64, position: 2048, leaderEpoch: 7, maxTimestamp: 1700 },
  ]);
});

test('an append says whether the broker gave the batch its time', () => {
  const batch = buildBatch({ records: [{ value: 'x' }], baseTimestamp: 1700 });
  const read = (): unknown => {
    const out = Buffer.alloc(GROUP_HEADER_BYTES + APPEND_ENTRY_BYTES);
    writeAppendEntry(out, GROUP_HEADER_BYTES, false, 9, 0, 0, 0, 0, batch, 0, batch.length, 0, 1800, 7);
    sealGroup(out, GENERATION, 1, 0, 1, APPEND_ENTRY_BYTES, 0, 1);
    return readGroup(out, 0, GENERATION)?.entries[0];
  };
  expect(read()).toMatchObject({ stamped: false, inline: false });
  setLogAppendTime(batch, 0, 1800, crc32cAt);
  expect(read()).toMatchObject({ stamped: true, inline: false, maxTimestamp: 1800 });
});

test('another generation, and every flipped bit of header and entries, is no group', () => {
  const bytes = group(3, 2);
  expect(readGroup(bytes, 0, GENERATION + 1n)).toBeNull();
  const payload = readGroup(bytes, 0, GENERATION)?.payloadBytes ?? 0;
  for (let at = 0; at < bytes.length - payload; at++) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] as number) ^ 0x10;
    expect(readGroup(damaged, 0, GENERATION), `bit in byte ${at}`).toBeNull();
  }
});

test('a file that ends inside the entries holds no group there', () => {
  const bytes = group(3, 2);
  for (const length of [0, 10, GROUP_HEADER_BYTES, GROUP_HEADER_BYTES + 20])
    expect(readGroup(bytes.subarray(0, length), 0, GENERATION)).toBeNull();
});

function journalDisk(): { disk: FakeDisk; journal: Journal } {
  const disk = new FakeDisk(new Prng(5));
  disk.mkdir('/j');
  const journal = new Journal(disk, '/j');
  for (let i = 0; i < 3; i++) {
    const path = journal.nextPath();
    writeZeros(disk, path, 16384);
    journal.adopt(path);
  }
  return { disk, journal };
}

test('files are used in turn, held until a checkpoint covers them, then used again', () => {
  const { disk, journal } = journalDisk();
  let sequence = 0;
  const write = (syncedThrough: number): boolean => {
    const bytes = group(sequence + 1, syncedThrough);
    if (!journal.reserve(bytes.length)) return false;
    journal.write(++sequence, [bytes], bytes.length);
    return true;
  };
  while (write(sequence));
  expect(sequence).toBe(12);
  expect(readJournal(disk, '/j', GENERATION, 0)).toMatchObject({ missing: [], syncedThrough: 11, behindTail: [] });
  journal.release(4, 0);
  expect(write(sequence)).toBe(true);
  const contents = readJournal(disk, '/j', GENERATION, 4);
  expect(contents.groups.map((each) => each.sequence)).toEqual([5, 6, 7, 8, 9, 10, 11, 12, 13]);
});

test('a missing group that a later one vouches for is corruption; one nobody vouches for ends the log', () => {
  const { disk, journal } = journalDisk();
  const places: number[] = [];
  let at = 0;
  for (let sequence = 1; sequence <= 4; sequence++) {
    const bytes = group(sequence, sequence === 4 ? 2 : 0);
    journal.reserve(bytes.length);
    journal.write(sequence, [bytes], bytes.length);
    places.push(at);
    at = alignGroup(at + bytes.length);
  }
  disk.corrupt('/j/journal-000000.jrn', (places[1] as number) + 20);
  expect(readJournal(disk, '/j', GENERATION, 0)).toMatchObject({
    missing: [2],
    groups: [{ sequence: 1 }, { sequence: 3 }, { sequence: 4 }],
  });
  disk.corrupt('/j/journal-000000.jrn', (places[2] as number) + 20);
  const contents = readJournal(disk, '/j', GENERATION, 0);
  expect(contents.missing).toEqual([2]);
  expect(contents.groups.map((each) => each.sequence)).toEqual([1]);
  expect(contents.behindTail.map((each) => each.sequence)).toEqual([4]);
});

test('a vouch takes no place; at the end of a file it goes to the beginning of the next, and is not written where none is free', () => {
  const { disk, journal } = journalDisk();
  let sequence = 0;
  const fill = (count: number): void => {
    for (const last = sequence + count; sequence < last;) {
      const bytes = group(sequence + 1, 0);
      expect(journal.reserve(bytes.length)).toBe(true);
      journal.write(++sequence, [bytes], bytes.length);
    }
  };
  const vouch = (): boolean => journal.writeVouch(vouchFor(GENERATION, sequence, 1));
  const read = (checkpoint: number): unknown => {
    const { groups, missing, behindTail, syncedThrough } = readJournal(disk, '/j', GENERATION, checkpoint);
    return { groups: groups.map((each) => each.sequence), lost: [...missing, ...behindTail], syncedThrough };
  };
  const from = (first: number): number[] => Array.from({ length: sequence - first + 1 }, (_, n) => first + n);
  fill(3);
  expect(vouch()).toBe(true);
  expect(read(0)).toEqual({ groups: from(1), lost: [], syncedThrough: 3 });
  fill(1);
  // Its word is overwritten, and the first file is full.
  expect(read(0)).toEqual({ groups: from(1), lost: [], syncedThrough: 0 });
  expect(vouch()).toBe(true);
  expect(read(0)).toEqual({ groups: from(1), lost: [], syncedThrough: 4 });
  fill(8);
  expect([vouch(), journal.freeBytes]).toEqual([false, 0]);
  expect(read(0)).toEqual({ groups: from(1), lost: [], syncedThrough: 0 });
  // The beginning of a file whose groups a checkpoint contains, some of which are still there behind it.
  journal.release(4, 0);
  expect(vouch()).toBe(true);
  expect(read(4)).toEqual({ groups: from(5), lost: [], syncedThrough: 12 });
  fill(1);
  expect(read(4)).toEqual({ groups: from(5), lost: [], syncedThrough: 4 });
  journal.release(12, 0);
  expect(journal.freeBytes).toBe(3 * 16384 - GROUP_ALIGNMENT);
});

test('old vouches say nothing that is not true of later groups', () => {
  const { disk, journal } = journalDisk();
  let sequence = 0;
  for (let round = 0; round < 40; round++) {
    const bytes = group(sequence + 1, 0);
    if (!journal.reserve(bytes.length)) {
      journal.release(sequence - 1, 0);
      journal.reserve(bytes.length);
    }
    journal.write(++sequence, [bytes], bytes.length);
    // The group is torn: nobody may take it for a durable one.
    const torn = new FakeDisk(new Prng(round));
    torn.mkdir('/j');
    torn.restore(disk.snapshot());
    const { path, payloadAt } = readJournal(disk, '/j', GENERATION, sequence - 1).groups[0]!;
    torn.corrupt(path, payloadAt - 1);
    expect(readJournal(torn, '/j', GENERATION, sequence - 1)).toMatchObject({ groups: [], missing: [], behindTail: [] });
    journal.writeVouch(vouchFor(GENERATION, sequence, 1));
  }
});

test('a checkpoint survives any one flipped bit, and two flips in the same place of both copies are noticed', () => {
  const producers = Buffer.from([1, 2, 3]);
  const state = { ...emptyPartition('AAAAAAAAAAAAAAAAAAAAAA', 3), endOffset: 77, logStartOffset: 5, producers };
  const bytes = encodeCheckpoint({
    generation: GENERATION,
    sequence: 12,
    clean: true,
    partitions: [{ handle: 4, state, movedOut: false }],
  });
  const whole = decodeCheckpoint(bytes);
  expect(whole).toMatchObject({ generation: GENERATION, sequence: 12, clean: true, partitions: [{ handle: 4, state, movedOut: false }] });
  for (let at = 0; at < bytes.length; at += 7) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] as number) ^ 0x01;
    expect(decodeCheckpoint(damaged)).toEqual(whole);
  }
  const both = Buffer.from(bytes);
  both[40] = (both[40] as number) ^ 1;
  both[40 + bytes.length / 2] = (both[40 + bytes.length / 2] as number) ^ 1;
  expect(decodeCheckpoint(both)).toBeNull();
  expect(decodeCheckpoint(Buffer.alloc(0))).toBeNull();
  expect(decodeCheckpoint(bytes.subarray(0, 60))).toBeNull();
});

test('a checkpoint file that was cut anywhere behind its first copy is as good as whole', () => {
  const state = { ...emptyPartition('AAAAAAAAAAAAAAAAAAAAAA', 3), producers: Buffer.alloc(5000, 1) };
  const bytes = encodeCheckpoint({
    generation: GENERATION,
    sequence: 12,
    clean: false,
    partitions: [{ handle: 4, state, movedOut: false }],
  });
  const whole = decodeCheckpoint(bytes);
  const copyBytes = bytes.length / 2;
  for (let length = copyBytes; length < bytes.length; length += 97) expect(decodeCheckpoint(bytes.subarray(0, length))).toEqual(whole);
  expect(whole).not.toBeNull();
  expect(decodeCheckpoint(bytes.subarray(0, 5000))).toBeNull();
});
