import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Broker } from '../../src/broker.ts';
import type { BrokerSettings } from '../../src/config/settings.ts';
import { Prng } from '../../src/lib/prng.ts';
import { createTopics } from '../../src/protocol/apis/19-create-topics.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../../src/protocol/frame.ts';
import { buildBatch } from '../../src/protocol/record.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { batchOf, produceFrame, WireClient } from '../support/wire-client.ts';

const PARTITIONS = 3;
const MODES = ['fsync', 'page-cache', 'memory'] as const;
const KIB = 1024;

async function startBroker(settings: BrokerSettings = {}): Promise<{ broker: Broker; port: number }> {
  const entry = pathToFileURL(join(import.meta.dirname, '../../dist/index.js')).href;
  const { Broker: Built } = (await import(entry)) as { Broker: typeof Broker };
  const broker = await Built.start({ host: '127.0.0.1', port: 0, dataDir: join(temporaryFolder(), 'data'), settings });
  onTestFinished(() => broker.stop());
  return { broker, port: Number(broker.address.split(':').at(-1)) };
}

async function createModes(port: number): Promise<void> {
  const client = await WireClient.connect(port);
  const topics = MODES.map((mode) => ({
    name: mode,
    numPartitions: PARTITIONS,
    replicationFactor: 1,
    assignments: [],
    configs: [{ name: 'ringlog.durability', value: mode }],
  }));
  client.write(encodeRequestFrame(createTopics, 5, 1, 'test', { topics, timeoutMs: 10_000, validateOnly: false }));
  const frame = await client.next();
  const { body } = decodeResponseFrame(createTopics, 5, frame, 0, frame.length);
  expect(body.topics.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0]);
  client.destroy();
}

/** Sends what a prng chose, pipelined and cut anywhere; returns the offsets each partition gave, in order. */
async function produceSome(port: number, seed: number, requests: number): Promise<Map<string, number[]>> {
  const prng = new Prng(seed);
  const client = await WireClient.connect(port);
  const plan: { mode: string; partitions: number[] }[] = [];
  const frames: Buffer[] = [];
  for (let id = 0; id < requests; id++) {
    const mode = prng.pick(MODES);
    const partitions = Array.from({ length: 1 + prng.below(PARTITIONS) }, (_, partition) => partition);
    const bytes = prng.chance(0.05) ? prng.below(300 * KIB) : prng.below(6 * KIB);
    frames.push(
      produceFrame(
        id,
        mode,
        partitions.map((partition) => ({ partition, records: batchOf(bytes, seed) })),
      ),
    );
    plan.push({ mode, partitions });
  }
  const wire = Buffer.concat(frames);
  for (let at = 0; at < wire.length;) {
    const next = Math.min(wire.length, at + 1 + prng.below(100 * KIB));
    client.write(wire.subarray(at, next));
    at = next;
  }
  const offsets = new Map<string, number[]>();
  for (const [id, { mode, partitions }] of plan.entries()) {
    const { correlationId, body } = await client.nextProduce();
    expect(correlationId).toBe(id);
    const answers = body.responses[0]!.partitionResponses;
    expect(answers.map(({ index, errorCode }) => [index, errorCode])).toEqual(partitions.map((partition) => [partition, 0]));
    for (const { index, baseOffset } of answers) {
      const key = `${mode}-${index}`;
      const list = offsets.get(key) ?? [];
      offsets.set(key, list);
      list.push(Number(baseOffset));
    }
  }
  client.destroy();
  return offsets;
}

/** Connections that break off, stop in the middle, or talk nonsense. */
async function disturb(port: number, seed: number): Promise<void> {
  const prng = new Prng(seed);
  for (let n = 0; n < 20; n++) {
    const client = await WireClient.connect(port);
    const frame = produceFrame(1, 'fsync', [{ partition: 99, records: batchOf(prng.below(50 * KIB)) }]);
    if (prng.chance(0.3)) client.write(Buffer.from(`nonsense ${n}`.repeat(100)));
    else client.write(frame.subarray(0, prng.below(frame.length)));
    await new Promise((resolve) => setTimeout(resolve, prng.below(20)));
    client.destroy();
  }
}

describe('produce through real shards', () => {
  it.each([
    ['with plenty of memory', {}],
    ['with hardly any memory', { 'ringlog.receive.memory.bytes': 4_194_304 }],
  ])('gives every batch an offset of its own, dense and in the order of its connection, %s', async (_what, settings) => {
    const { port } = await startBroker(settings);
    await createModes(port);
    const connections = 12;
    const [results] = await Promise.all([
      Promise.all(Array.from({ length: connections }, (_, n) => produceSome(port, n + 1, 80))),
      Promise.all([disturb(port, 100), disturb(port, 101)]),
    ]);
    const all = new Map<string, number[]>();
    for (const offsets of results) {
      for (const [key, list] of offsets) {
        expect(list).toEqual([...list].sort((a, b) => a - b));
        all.set(key, [...(all.get(key) ?? []), ...list]);
      }
    }
    expect([...all.keys()].sort()).toEqual(MODES.flatMap((mode) => [0, 1, 2].map((partition) => `${mode}-${partition}`)).sort());
    for (const list of all.values()) expect(list.sort((a, b) => a - b)).toEqual(Array.from({ length: list.length }, (_, n) => n));
  });

  it('names the records for which a batch is refused', async () => {
    const { port } = await startBroker({ 'log.message.timestamp.after.max.ms': 3_600_000 });
    await createModes(port);
    const client = await WireClient.connect(port);
    const malformed = buildBatch({ records: [{ offsetDelta: 0 }, { offsetDelta: 2 }], lastOffsetDelta: 1 });
    const late = buildBatch({ records: [5, Date.now() * 2, 6].map((timestamp) => ({ value: 'x', timestamp })) });
    for (const mode of MODES) {
      const parts = [malformed, late, batchOf(10)].map((records, partition) => ({ partition, records }));
      client.write(produceFrame(1, mode, parts));
      const answers = (await client.nextProduce()).body.responses[0]!.partitionResponses;
      expect(answers.map(({ errorCode }) => errorCode)).toEqual([ErrorCode.INVALID_RECORD, ErrorCode.INVALID_TIMESTAMP, ErrorCode.NONE]);
      const named = answers.map(({ recordErrors }) => recordErrors.map(({ batchIndex }) => batchIndex));
      expect(named).toEqual([[1], [1], []]);
      expect(answers[0]!.errorMessage).toContain('Record 1 is malformed');
      expect(answers[1]!.errorMessage).toContain('timestamps that are out of range');
    }
    client.destroy();
  });
});
