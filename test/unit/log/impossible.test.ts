/** Files whose checksum is right and whose contents nobody can have written: they count as not intact, and nothing throws or goes on for ever. */
import { pack } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../../src/log/checkpoint.ts';
import { decodeIndexFile, encodeIndexFile } from '../../../src/log/index-file.ts';
import { encodeControlEntry, EntryType, GROUP_HEADER_BYTES, readGroup, sealGroup } from '../../../src/log/journal-layout.ts';
import { crc32cAt } from '../../../src/protocol/crc32c.ts';

describe('a journal group', () => {
  const close = encodeControlEntry(1, { type: EntryType.close });
  const read = (entries: Buffer): ReturnType<typeof readGroup> => {
    const out = Buffer.concat([Buffer.alloc(GROUP_HEADER_BYTES), entries]);
    sealGroup(out, 7n, 1, 0, 1, entries.length, 0, 0);
    return readGroup(out, 0, 7n);
  };
  const changed = (change: (entry: Buffer) => void): Buffer => {
    const entry = Buffer.from(close);
    change(entry);
    return entry;
  };

  it('is read with what was written', () => {
    expect(read(close)?.entries).toMatchObject([{ type: 'control', handle: 1, body: { type: EntryType.close } }]);
  });

  it.each([
    ['an entry of no length', changed((entry) => entry.writeUInt32LE(0, 4))],
    ['an entry longer than the group', changed((entry) => entry.writeUInt32LE(1000, 4))],
    ['less than an entry at its end', Buffer.concat([close, Buffer.alloc(8)])],
    ['a body longer than its entry', changed((entry) => entry.writeUInt32LE(500, 12))],
    ['a body that is no MessagePack', changed((entry) => entry.fill(0xc1, 16))],
    ['a body of another type than its entry', changed((entry) => entry.writeUInt8(EntryType.truncate, 0))],
    ['an append of another length', changed((entry) => entry.writeUInt8(EntryType.append, 0))],
  ])('with %s is none', (_, entries) => {
    expect(read(entries)).toBeNull();
  });
});

describe('a checkpoint', () => {
  const checkpoint = { generation: 7n, sequence: 1, clean: true, partitions: [] };

  it.each([
    ['that is no MessagePack', Buffer.from([0xc1])],
    ['that is no list', pack({})],
  ])('with a body %s is none', (_, body) => {
    const bytes = encodeCheckpoint(checkpoint);
    for (const copy of [bytes.subarray(0, bytes.length / 2), bytes.subarray(bytes.length / 2)]) {
      copy.writeUInt32LE(body.length, 28);
      body.copy(copy, 32);
      copy.writeUInt32LE(crc32cAt(copy, 8, 24 + body.length), 4);
    }
    expect(decodeCheckpoint(bytes)).toBeNull();
  });
});

describe('an index', () => {
  const withOffset = (offset: number): Buffer =>
    encodeIndexFile(100, 1000, {
      offsets: Float64Array.of(offset),
      positions: Uint32Array.of(0),
      timestamps: Float64Array.of(-1),
      maxTimestamp: 5,
    });

  it('with an offset that is none, or before its segment, is none', () => {
    expect(decodeIndexFile(withOffset(100), 100, 1000)).not.toBeNull();
    for (const offset of [NaN, 100.5, 99, -1, Infinity]) expect(decodeIndexFile(withOffset(offset), 100, 1000)).toBeNull();
  });
});
