/** What main itself writes, in a real broker that is killed: what was reported as appended is loaded again, at its place. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { readRecords } from '../../src/protocol/record.ts';
import { eventually, startBroker } from '../support/broker-process.ts';
import { batchOf } from '../support/kafka-client.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const SCRIPT = join(import.meta.dirname, '../support/internal-log-process.mjs');
const TOPIC = '__consumer_offsets';
const ROUNDS = 4;
/** Outcomes after which a round is cut off. */
const OUTCOMES_PER_ROUND = 700;

interface Outcome {
  readonly partition: number;
  readonly name: string;
  readonly count: number;
  readonly errorCode: number;
  readonly baseOffset: number;
}

interface LoadedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: number | null;
}

interface Run {
  readonly lines: unknown[];
  readonly code: number | null;
  readonly errors: string;
}

/** Runs the process to its end, or kills it once it has said `killAfter` lines. */
async function run(dataDir: string, mode: 'append' | 'die' | 'load', killAfter = Infinity): Promise<Run> {
  // A file takes every line at once, also while nobody reads; a pipe may be full.
  const path = join(temporaryFolder(), 'said');
  const file = openSync(path, 'w');
  const child = spawn(process.execPath, [SCRIPT, dataDir, mode], { stdio: ['ignore', file, 'pipe'] });
  closeSync(file);
  onTestFinished(() => void child.kill('SIGKILL'));
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => void (errors += text));
  const closed = once(child, 'close') as Promise<[number | null]>;
  if (killAfter < Infinity) {
    const count = (): number => readFileSync(path, 'utf8').split('\n').length - 1;
    await eventually(() => child.exitCode !== null || count() >= killAfter, `${killAfter} outcomes`);
    child.kill('SIGKILL');
  }
  const [code] = await closed;
  const said = readFileSync(path, 'utf8');
  const whole = said.slice(0, said.lastIndexOf('\n') + 1);
  const lines = whole.split('\n').filter((line) => line !== '');
  return { lines: lines.map((line) => JSON.parse(line) as unknown), code, errors };
}

test('what was reported as appended is loaded again after kill -9, in order and at its offset', async () => {
  const dataDir = temporaryFolder();
  const outcomes: Outcome[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const { lines, errors } = await run(dataDir, 'append', OUTCOMES_PER_ROUND);
    expect(errors).toBe('');
    expect(lines.length).toBeGreaterThanOrEqual(OUTCOMES_PER_ROUND);
    outcomes.push(...(lines as Outcome[]));
  }
  expect(outcomes.filter(({ errorCode }) => errorCode !== 0)).toEqual([]);

  const { lines, code, errors } = await run(dataDir, 'load');
  expect([code, errors]).toEqual([0, '']);
  const ends = lines.filter((line) => 'errorCode' in (line as object));
  expect(ends).toHaveLength(4);
  for (const end of ends) expect(end).toMatchObject({ errorCode: 0 });
  const records = lines.filter((line) => 'key' in (line as object)) as LoadedRecord[];
  for (let partition = 0; partition < 4; partition++) {
    const loaded = records.filter((record) => record.partition === partition);
    expect(loaded.map(({ offset }) => offset)).toEqual(loaded.map((_record, offset) => offset));
    const told = outcomes.filter((outcome) => outcome.partition === partition);
    expect(told.length).toBeGreaterThan(0);
    // One after the other, in the order in which they were told.
    for (let n = 1; n < told.length; n++) expect(told[n]!.baseOffset).toBeGreaterThanOrEqual(told[n - 1]!.baseOffset + told[n - 1]!.count);
    for (const { name, count, baseOffset } of told)
      for (let i = 0; i < count; i++) expect(loaded[baseOffset + i]).toMatchObject({ key: `${name}/${i}` });
  }
});

test('clients see the topic and read it, and cannot write to it', async () => {
  const dataDir = temporaryFolder();
  const { lines } = await run(dataDir, 'append', 50);
  const [first] = lines as Outcome[];
  const { partition, name, count, baseOffset } = first!;
  const broker = await startBroker({ dataDir });
  const client = await broker.connect();
  const { topics } = await client.metadata([TOPIC]);
  expect(topics[0]).toMatchObject({ name: TOPIC, isInternal: true });
  expect(topics[0]!.partitions).toHaveLength(4);
  const { errorCode, records } = await client.fetch(TOPIC, partition, baseOffset);
  expect(errorCode).toBe(ErrorCode.NONE);
  const keys = [...readRecords(records)].map(({ key }) => key?.toString());
  expect(keys).toEqual(Array.from({ length: count }, (_, i) => `${name}/${i}`));
  expect((await client.produce(TOPIC, 0, batchOf(['x']))).errorCode).toBe(ErrorCode.INVALID_TOPIC_EXCEPTION);
});

test('a shard that dies leaves nobody waiting, and nothing is missing that was reported', async () => {
  const dataDir = temporaryFolder();
  const dying = await run(dataDir, 'die');
  expect(dying.lines.at(-1)).toEqual({ waiting: 0 });
  const outcomes = dying.lines.slice(0, -1) as Outcome[];
  const refused = outcomes.filter(({ errorCode }) => errorCode !== 0);
  expect(refused.length).toBeGreaterThan(0);
  for (const { errorCode } of refused) expect(errorCode).toBe(ErrorCode.COORDINATOR_NOT_AVAILABLE);

  const { lines } = await run(dataDir, 'load');
  const loaded = new Map<string, LoadedRecord>();
  for (const line of lines as LoadedRecord[]) if ('key' in line) loaded.set(line.key, line);
  for (const { name, count, errorCode, partition, baseOffset } of outcomes)
    if (errorCode === 0)
      for (let i = 0; i < count; i++) expect(loaded.get(`${name}/${i}`)).toMatchObject({ partition, offset: baseOffset + i });
});
