/** Compacted topics: what clients see while and after logs are compacted, what is left on the disk, and what a crash makes of it. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { lastOffset } from '../../src/protocol/record-batch.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import { delay, eventually, startBroker, type BrokerProcess } from '../support/broker-process.ts';
import { batchesOf, recordsOf, type KafkaClient, type SeenRecord } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const MIB = 1 << 20;
const MODES = ['fsync', 'page-cache', 'memory'] as const;
const KEYS = 50;
const SETTINGS = {
  'log.cleaner.backoff.ms': 100,
  'ringlog.checkpoint.interval.ms': 200,
  'ringlog.checkpoint.interval.bytes': 4 * MIB,
  'ringlog.pool.bytes.max': 64 * MIB,
};
const CONFIGS = { 'cleanup.policy': 'compact', 'segment.bytes': String(MIB), 'min.cleanable.dirty.ratio': '0.1' };

/** Offset `n` has this record, whoever asks: batches of four records. */
const keyOf = (n: number): string => `key-${(n * 7919 + (n >> 5)) % KEYS}`;
const valueOf = (n: number): string => `${n} `.padEnd(10_000, '.');

async function fill(client: KafkaClient, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 40) {
    const bases = Array.from({ length: Math.min(10, (to - at) / 4) }, (_, i) => at + 4 * i);
    const batches = bases.map((base) =>
      buildBatch({ records: [0, 1, 2, 3].map((i) => ({ key: keyOf(base + i), value: valueOf(base + i) })) }),
    );
    const answers = await Promise.all(batches.map((batch) => client.produce('t', 0, batch)));
    expect(answers.map(({ errorCode, baseOffset }) => [errorCode, baseOffset])).toEqual(bases.map((base) => [0, base]));
  }
  await eventually(async () => (await client.listOffset('t', 0, -1)).offset >= to, 'all of it can be read');
}

/** Every record is the one that was sent under its offset, and offsets rise. */
function expectOwn(records: readonly SeenRecord[]): void {
  let before = -1;
  for (const { offset, key, value } of records) {
    expect(offset).toBeGreaterThan(before);
    if (key !== keyOf(offset) || value !== valueOf(offset))
      throw new Error(`offset ${offset} has another record: ${key}, ${value.slice(0, 20)}`);
    before = offset;
  }
}

/** Of every key, the last record that was sent is there. */
function expectLatest(records: readonly SeenRecord[], end: number): void {
  const latest = new Map<string, number>();
  for (let n = 0; n < end; n++) latest.set(keyOf(n), n);
  expect(new Map(records.map(({ key, offset }) => [key, offset]))).toEqual(latest);
}

const segmentsOf = (broker: BrokerProcess, id: string): string[] =>
  readdirSync(join(broker.dataDir, 'topics', id, '0')).filter((name) => name.endsWith('.log'));
const bytesOf = (broker: BrokerProcess, id: string): number =>
  segmentsOf(broker, id).reduce(
    (sum, name) => sum + (statSync(join(broker.dataDir, 'topics', id, '0', name), { throwIfNoEntry: false })?.size ?? 0),
    0,
  );

describe.each(MODES)('a compacted %s topic', (mode) => {
  it('keeps the last record of each key, while readers read, and after a stop', { timeout: 120_000 }, async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, settings: SETTINGS });
    const client = await broker.connect();
    const id = await client.createTopic('t', 1, { ...CONFIGS, 'ringlog.durability': mode });
    const reading = new AbortController();
    const reader = (async (): Promise<void> => {
      const other = await broker.connect();
      while (!reading.signal.aborted) expectOwn(await other.readAll('t', 0));
    })();
    // Looked at below; the test may fail before.
    reader.catch(() => undefined);
    await fill(client, 0, 1200);
    await eventually(async () => (await client.readAll('t', 0)).length < 300, 'old records go');
    // Two segments at least stay: the one that is written, and what was compacted.
    await eventually(() => bytesOf(broker, id) < 4 * MIB, 'their files go');
    expectLatest(await client.readAll('t', 0), 1200);
    await fill(client, 1200, 1240);
    reading.abort();
    await reader;
    expectLatest(await client.readAll('t', 0), 1240);
    expect((await broker.stop()).code).toBe(0);
    const next = await startBroker({ dataDir, settings: SETTINGS });
    const records = await (await next.connect()).readAll('t', 0);
    expectOwn(records);
    expectLatest(records, 1240);
  });

  it('has lost nothing, and left no file, whenever the broker is killed', { timeout: 180_000 }, async () => {
    const dataDir = join(temporaryFolder(), 'data');
    let broker = await startBroker({ dataDir, settings: SETTINGS });
    let client = await broker.connect();
    const id = await client.createTopic('t', 1, { ...CONFIGS, 'ringlog.durability': mode });
    let end = 0;
    for (let life = 0; life < 5; life++) {
      await fill(client, end, end + 400);
      await delay(life * 60);
      await broker.kill();
      broker = await startBroker({ dataDir, settings: SETTINGS });
      client = await broker.connect();
      const now = (await client.listOffset('t', 0, -1)).offset;
      if (mode !== 'memory') expect(now).toBe(end + 400);
      end = now - (now % 4);
      const records = await client.readAll('t', 0);
      expectOwn(records);
      expectLatest(records, now);
      if (end !== now) return;
    }
    await eventually(async () => (await client.readAll('t', 0)).length < 300, 'old records go');
    await eventually(() => bytesOf(broker, id) < 4 * MIB, 'their files go, those of earlier lives too');
  });
});

describe('a fetch from where records are gone', () => {
  it('begins with the next record that is there, however small the answer', { timeout: 60_000 }, async () => {
    const dataDir = join(temporaryFolder(), 'data');
    const broker = await startBroker({ dataDir, settings: SETTINGS });
    const client = await broker.connect();
    await client.createTopic('t', 1, CONFIGS);
    await fill(client, 0, 800);
    await eventually(async () => (await client.readAll('t', 0)).length < 300, 'old records go');
    const before = await client.readAll('t', 0);
    const answers: { offset: number; found: number | undefined }[] = [];
    for (let offset = 0; offset < 800; offset += 3) {
      const { records: bytes, errorCode } = await client.fetch('t', 0, offset, { partitionMaxBytes: 100 });
      expect(errorCode).toBe(0);
      const batches = batchesOf(bytes);
      const found = batches.flatMap(recordsOf).find((record) => record.offset >= offset);
      // A batch that has lost its last records spans their offsets all the same.
      if (found === undefined) expect(lastOffset(batches.at(-1) as Buffer, 0)).toBeGreaterThanOrEqual(offset);
      answers.push({ offset, found: found?.offset });
      expect(batches.flatMap(recordsOf).length).toBeGreaterThan(0);
    }
    // More may have gone meanwhile: what was found lies between what was next at the beginning and what is next now.
    const after = await client.readAll('t', 0);
    for (const { offset, found } of answers) {
      if (found === undefined) continue;
      expect(before.map((record) => record.offset)).toContain(found);
      expect(found).toBeGreaterThanOrEqual(before.find((record) => record.offset >= offset)!.offset);
      expect(found).toBeLessThanOrEqual(after.find((record) => record.offset >= offset)!.offset);
    }
  });
});

it(
  'a record without key is refused by a compacted topic, compressed or not, and nothing of its batch is taken',
  { timeout: 60_000 },
  async () => {
    const broker = await startBroker({ dataDir: join(temporaryFolder(), 'data'), settings: SETTINGS });
    const client = await broker.connect();
    await client.createTopic('t', 1, CONFIGS);
    const records = [{ key: 'a', value: '1' }, { value: '2' }];
    const plain = buildBatch({ records });
    const packed = buildBatch({ records, attributes: 1 }, (bytes) => gzipSync(bytes));
    for (const batch of [plain, packed]) expect((await client.produce('t', 0, batch)).errorCode).toBe(ErrorCode.INVALID_RECORD);
    expect((await client.produce('t', 0, buildBatch({ records: [{ key: '', value: '1' }] }))).errorCode).toBe(0);
    expect((await client.listOffset('t', 0, -1)).offset).toBe(1);
    await client.createTopic('plain', 1);
    expect((await client.produce('plain', 0, plain)).errorCode).toBe(0);
  },
);

it(
  'a topic that becomes compacted loses what has no key; one with both policies loses old segments as well',
  { timeout: 60_000 },
  async () => {
    const broker = await startBroker({
      dataDir: join(temporaryFolder(), 'data'),
      settings: { ...SETTINGS, 'log.retention.check.interval.ms': 200 },
    });
    const client = await broker.connect();
    const id = await client.createTopic('t', 1, { 'segment.bytes': String(MIB) });
    await client.produce('t', 0, buildBatch({ records: [{ value: 'no key' }] }));
    for (let n = 1; n < 120; n++) await client.produce('t', 0, buildBatch({ records: [{ key: keyOf(n), value: valueOf(n).repeat(4) }] }));
    expect(await client.alterTopic('t', CONFIGS)).toBe(0);
    await eventually(async () => (await client.readAll('t', 0))[0]?.key !== null, 'the record without key goes');
    const records = await client.readAll('t', 0);
    for (let k = 0; k < KEYS; k++) expect(records.filter(({ key }) => key === `key-${k}`).length).toBeGreaterThan(0);
    expect(await client.alterTopic('t', { ...CONFIGS, 'cleanup.policy': 'compact,delete', 'retention.bytes': String(MIB) })).toBe(0);
    await eventually(async () => (await client.listOffset('t', 0, -2)).offset > 0, 'the log start moves');
    await eventually(() => segmentsOf(broker, id).length <= 2, 'files go');
  },
);
