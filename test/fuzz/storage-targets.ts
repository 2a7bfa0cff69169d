/** What is read from disk: files that a power loss, a bad block or somebody's editor may have changed. Checksums are mended, so that what lies behind them is tried too. */
import { decodeHeader, decodeRecord, encodeHeader, encodeRecord, HEADER_KEY } from '../../src/cluster/embedded-metadata-record.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/log/checkpoint.ts';
import { DiskError } from '../../src/log/disk.ts';
import { currentGeneration, RecoveryError } from '../../src/log/generation.ts';
import { decodeIndexFile, encodeIndexFile } from '../../src/log/index-file.ts';
import {
  bindEntry,
  encodeControlEntry,
  EntryType,
  GROUP_HEADER_BYTES,
  readGroup,
  sealGroup,
  writeAppendEntry,
  APPEND_ENTRY_BYTES,
} from '../../src/log/journal-layout.ts';
import { emptyPartition, type PartitionState } from '../../src/log/partition-state.ts';
import { NO_PRODUCERS } from '../../src/log/producer-table.ts';
import { recover } from '../../src/log/recovery.ts';
import { Prng } from '../../src/lib/prng.ts';
import { crc32cAt } from '../../src/protocol/crc32c.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import { FakeDisk } from '../sim/fake-disk.ts';
import { DATA, Simulation } from '../sim/simulation.ts';
import type { FuzzTarget } from './fuzzer.ts';

const GENERATION = 7n;
const NOW_MS = 1_700_000_000_000;

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

const partition = (): PartitionState => emptyPartition('AAAAAAAAAAAAAAAAAAAAAQ', 3);

/** Writes the CRC of `bytes[from, end)` at `at`, little-endian. */
function mendAt(bytes: Buffer, at: number, from: number, end: number): void {
  if (end <= bytes.length && end > from && at + 4 <= bytes.length) bytes.writeUInt32LE(crc32cAt(bytes, from, end - from), at);
}

function groupOf(entries: readonly Buffer[], payload: Buffer): Buffer {
  const body = Buffer.concat(entries);
  const out = Buffer.concat([Buffer.alloc(GROUP_HEADER_BYTES), body, payload]);
  sealGroup(out, GENERATION, 5, 4, entries.length, body.length, payload.length, NOW_MS);
  return out;
}

/** A group at the beginning of a journal file. */
const journalGroup: FuzzTarget = {
  seeds: () => {
    const batch = buildBatch({ records: [{ value: 'x' }], baseTimestamp: NOW_MS });
    const append = Buffer.alloc(APPEND_ENTRY_BYTES);
    writeAppendEntry(append, 0, true, 1, 10, 0, 0, 0, batch, 0, batch.length, 0, NOW_MS, 0);
    const state = partition();
    const control = [
      encodeControlEntry(1, bindEntry(state)),
      encodeControlEntry(1, { type: EntryType.open, state }),
      encodeControlEntry(1, { type: EntryType.close }),
      encodeControlEntry(1, { type: EntryType.movedOut, state }),
      encodeControlEntry(1, { type: EntryType.truncate, endOffset: 3, segmentBase: 0, endPosition: 100, producers: NO_PRODUCERS }),
      encodeControlEntry(1, { type: EntryType.logStart, offset: 2, firstSegment: 0 }),
      encodeControlEntry(1, { type: EntryType.roll, baseOffset: 9, capacity: 0 }),
    ];
    return [
      groupOf([append], batch),
      ...control.map((entry) => groupOf([entry], Buffer.alloc(0))),
      groupOf([...control, append, append], batch),
    ];
  },
  mend(bytes) {
    if (bytes.length >= GROUP_HEADER_BYTES) mendAt(bytes, 4, 8, GROUP_HEADER_BYTES + bytes.readUInt32LE(36));
  },
  run(bytes) {
    const group = readGroup(bytes, 0, GENERATION);
    if (group === null) return;
    must(group.entries.length <= bytes.length, 'more entries than bytes');
    for (const entry of group.entries) must(entry.type !== 'control' || typeof entry.body.type === 'number', 'an entry without a type');
  },
};

/** A checkpoint file: two copies. */
const checkpoint: FuzzTarget = {
  seeds: () => [
    encodeCheckpoint({ generation: GENERATION, sequence: 0, clean: true, partitions: [] }),
    encodeCheckpoint({
      generation: GENERATION,
      sequence: 9,
      clean: false,
      partitions: [{ handle: 4, state: partition(), movedOut: false }],
    }),
  ],
  mend(bytes) {
    const half = Math.floor(bytes.length / 2);
    for (const copy of [bytes.subarray(0, half), bytes.subarray(half)])
      if (copy.length >= 32) mendAt(copy, 4, 8, 32 + copy.readUInt32LE(28));
  },
  run(bytes) {
    const found = decodeCheckpoint(bytes);
    if (found === null) return;
    must(Array.isArray(found.partitions), 'partitions are no list');
  },
};

const INDEX_END = 1000;

/** An index file. */
const indexFile: FuzzTarget = {
  seeds: () =>
    [0, 1, 5].map((count) =>
      encodeIndexFile(100, INDEX_END, {
        offsets: Float64Array.from({ length: count }, (_, n) => 100 + n),
        positions: Uint32Array.from({ length: count }, (_, n) => n * 10),
        timestamps: Float64Array.from({ length: count }, (_, n) => NOW_MS + n),
        maxTimestamp: NOW_MS + 50,
      }),
    ),
  mend: (bytes) => mendAt(bytes, 12, 16, bytes.length),
  run(bytes) {
    const entries = decodeIndexFile(bytes, 100, INDEX_END);
    if (entries === null) return;
    for (let n = 0; n < entries.offsets.length; n++) {
      must(Number.isSafeInteger(entries.offsets[n]) && (entries.offsets[n] as number) >= 100, `offset ${entries.offsets[n]} in an index`);
      must((entries.positions[n] as number) < INDEX_END, 'a position behind the end');
    }
  },
};

/** byte 0: bytes of the key, then key and value of a record of the metadata store; also read as its header. */
const metadataRecord: FuzzTarget = {
  seeds: () => {
    const { key, value } = encodeRecord({
      key: 'topics/a',
      bytes: Buffer.from([0x81, 0xa1, 0x61, 1]),
      createRevision: 1,
      modRevision: 2,
      lease: undefined,
    });
    const header = encodeHeader({ revision: 3, count: 2, sum: 99 });
    return [Buffer.concat([Buffer.from([key.length]), key, value]), Buffer.concat([Buffer.from([1]), HEADER_KEY, header])];
  },
  run(bytes) {
    const keyBytes = bytes[0] ?? 0;
    const key = bytes.subarray(1, 1 + keyBytes);
    const value = bytes.subarray(1 + keyBytes);
    const record = decodeRecord(key, value);
    if (record !== undefined) must(record.entry.bytes.length === value.length - 24, 'a record of another length');
    decodeHeader(value);
  },
};

/** The file that names the generation. */
const generation: FuzzTarget = {
  seeds: () => [Buffer.from('00000000000000aa\n'), Buffer.from('0123456789abcdef'), Buffer.alloc(0)],
  run(bytes) {
    const disk = new FakeDisk(new Prng(1));
    disk.mkdir(DATA);
    const fd = disk.open(`${DATA}/CURRENT`, 'write');
    disk.write(fd, [bytes], 0);
    disk.close(fd);
    try {
      const name = currentGeneration(disk, DATA);
      must(name !== null && /^[0-9a-f]{16}$/.test(name), 'no name of a generation');
    } catch (error) {
      if (!(error instanceof RecoveryError)) throw error;
    }
  },
};

/** A data folder as a killed broker leaves it: paths and bytes, made once. */
let folder: { files: [string, Buffer][]; topics: { id: string; end: number }[] } | null = null;

function makeFolder(): NonNullable<typeof folder> {
  const sim = new Simulation({ seed: 3 });
  sim.start();
  const topics = [sim.createTopic('fsync'), sim.createTopic('page-cache')];
  let vouched: { id: string; end: number }[] = [];
  for (let n = 0; n < 12; n++) {
    sim.workAll();
    // A group counts as written only if a later one says so: damage to the last ones is a torn tail, and nothing tells it from one.
    if (n === 6) vouched = topics.map((each) => ({ id: each.id, end: endOf(each.records.values()) }));
    for (const each of topics) if (each.online) sim.produce(each, (n * 97) % 400);
    sim.nowMs += 50;
  }
  sim.workAll();
  sim.disk.killProcess();
  const files = sim.disk.paths().map((path): [string, Buffer] => {
    const fd = sim.disk.open(path, 'read');
    const bytes = Buffer.alloc(sim.disk.size(fd));
    sim.disk.read(fd, bytes, 0, bytes.length, 0);
    sim.disk.close(fd);
    return [path, bytes];
  });
  return { files, topics: vouched };
}

function endOf(records: Iterable<{ acked: boolean; lastOffset: number }>): number {
  return Math.max(0, ...[...records].filter(({ acked }) => acked).map(({ lastOffset }) => lastOffset + 1));
}

/** Seven bytes each: which file, where (4), what to exclusive-or (1), and whether to cut the file there (1, if 1). Recovery reports, refuses, or loses nothing. */
const recovery: FuzzTarget = {
  seeds: () => [
    Buffer.alloc(0),
    Buffer.from('00000000010100', 'hex'),
    Buffer.from('01000000200100020000100501', 'hex'),
    Buffer.from('03000000500001', 'hex'),
  ],
  run(bytes) {
    folder ??= makeFolder();
    let isCut = false;
    const changed = new Map<string, Buffer>(folder.files.map(([path, content]) => [path, Buffer.from(content)]));
    for (let at = 0; at + 7 <= bytes.length && at < 7 * 12; at += 7) {
      const [path] = folder.files[(bytes[at] as number) % folder.files.length] as [string, Buffer];
      const content = changed.get(path) as Buffer;
      if (content.length === 0) continue;
      const place = bytes.readUInt32BE(at + 1) % content.length;
      content[place]! ^= bytes[at + 5] as number;
      if (bytes[at + 6] !== 1) continue;
      changed.set(path, content.subarray(0, place));
      isCut = true;
    }
    const disk = new FakeDisk(new Prng(1));
    for (const [path, content] of changed) {
      disk.mkdir(path.slice(0, path.lastIndexOf('/')));
      const fd = disk.open(path, 'write');
      disk.write(fd, [content], 0);
      disk.close(fd);
    }
    const isWhole = folder.files.every(([path, content]) => (changed.get(path) as Buffer).equals(content));
    try {
      const recovered = recover(disk, DATA, () => 'known');
      for (const { id, end } of folder.topics) {
        const state = recovered.partitions.get(`${id}/0`);
        if (isWhole) must(state !== undefined && state.endOffset >= end, 'what was acknowledged is lost');
        if (state === undefined) continue;
        // Of what is cut off at the end nothing is left that could tell of it.
        if (recovered.notes.length === 0 && !isCut) must(state.endOffset >= end, 'what was acknowledged is lost without a word');
        for (let n = 1; n < state.segments.length; n++)
          must(state.segments[n]!.baseOffset > state.segments[n - 1]!.baseOffset, 'segments out of order');
      }
    } catch (error) {
      if (!(error instanceof RecoveryError) && !(error instanceof DiskError)) throw error;
    }
  },
};

export const STORAGE_TARGETS = { journalGroup, checkpoint, indexFile, metadataRecord, generation, recovery };
