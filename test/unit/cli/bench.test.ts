import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { produceBatches, steadyRecords, type Load } from '../../../src/cli/bench/phases.ts';
import { measure } from '../../../src/cli/commands/bench.ts';
import { EXIT_USAGE } from '../../../src/cli/exit.ts';
import { BrokerRefusedError } from '../../../src/cli/kafka/errors.ts';
import type { IncomingRecord, NewTopic, OutgoingRecord, Topic } from '../../../src/cli/kafka/types.ts';
import { run } from '../../../src/cli/run.ts';
import type { Terminal } from '../../../src/cli/terminal.ts';

const LOAD: Load = { topic: 'bench', recordBytes: 100, acks: -1, compression: 'none', signal: new AbortController().signal };
const refusal = new BrokerRefusedError('NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS: refused.');

/** A broker with a topic of one partition. */
class FakeBroker {
  /** Sends of a single record that came. */
  singles = 0;
  /** Sends of any kind whose answer is still due. */
  onTheirWay = 0;
  /** How many were when a topic was deleted, for each that was. */
  readonly onTheirWayAtDeletion: number[] = [];
  readonly #records: IncomingRecord[] = [];
  readonly #answer: (singles: number) => 'kept' | 'lost' | Error;

  /** @param answer what becomes of the n-th send of a single record; of batches with 0 */
  constructor(answer: (singles: number) => 'kept' | 'lost' | Error = () => 'kept') {
    this.#answer = answer;
  }

  createTopic({ partitions }: NewTopic): Promise<number> {
    return Promise.resolve(partitions);
  }

  deleteTopic(): Promise<void> {
    this.onTheirWayAtDeletion.push(this.onTheirWay);
    return Promise.resolve();
  }

  async send(topic: string, records: readonly OutgoingRecord[]): Promise<[]> {
    const answer = this.#answer(records.length === 1 ? ++this.singles : 0);
    this.onTheirWay++;
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.onTheirWay--;
    if (answer instanceof Error) throw answer;
    if (answer === 'lost') return [];
    for (const { key, value } of records)
      this.#records.push({ topic, partition: 0, offset: this.#records.length, timestampMs: 0, key, value, headers: [] });
    return [];
  }

  async fetch(_topic: Topic, _node: number, from: ReadonlyMap<number, number>) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    const records = this.#records.slice(from.get(0));
    return { records, next: new Map([[0, this.#records.length]]) };
  }

  topic(name: string): Promise<Topic> {
    return Promise.resolve({ name, id: 'id', partitions: [{ partition: 0, leader: 1, leaderEpoch: 0, replicas: [1], isr: [1] }] });
  }

  offsets(_topic: string, _partitions: readonly number[], wish: unknown): Promise<Map<number, number>> {
    return Promise.resolve(new Map([[0, wish === 'earliest' ? 0 : this.#records.length]]));
  }
}

function terminalOf() {
  const interruption = new AbortController();
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const terminal = { stdin, stdout, stderr, environment: {}, exitCode: 0, interruption: () => interruption.signal };
  return terminal satisfies Terminal;
}

describe('a bench', () => {
  const options = {
    duration: 100,
    size: 100,
    batch: 1000,
    inFlight: 2,
    rate: 200,
    partitions: 1,
    acks: 'all',
    compression: 'none',
  } as const;
  const runWith = (broker: FakeBroker): Promise<void> => measure(broker, broker, options, LOAD.signal, terminalOf());

  it('removes its topic', async () => {
    const broker = new FakeBroker();
    await runWith(broker);
    expect([broker.singles, broker.onTheirWayAtDeletion]).toEqual([20, [0]]);
  });

  it('ends with the first send that fails, and removes its topic', async () => {
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', onUnhandled);
    const broker = new FakeBroker((singles) => (singles >= 3 ? refusal : 'kept'));
    await expect(runWith(broker)).rejects.toBe(refusal);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
    expect(broker.singles).toBeLessThanOrEqual(4);
    expect(broker.onTheirWayAtDeletion).toEqual([0]);
  });

  it('removes its topic after all batches that are on their way when one fails', async () => {
    const broker = new FakeBroker(() => refusal);
    await expect(runWith(broker)).rejects.toBe(refusal);
    expect(broker.onTheirWayAtDeletion).toEqual([0]);
  });
});

describe('options of a bench', () => {
  it('are refused before anything is done when a record could not hold the time of its sending', async () => {
    const terminal = terminalOf();
    expect(await run(['bench', '--size', '0', '-b', '127.0.0.1:1'], terminal)).toBe(EXIT_USAGE);
    expect(String(terminal.stderr.read())).toMatch(
      /'-s, --size <bytes>' argument '0' is invalid\. It must be from 8 to 104857600 bytes\.\n/,
    );
  });

  it('are refused when a batch would fill the memory of the process instead of a request', async () => {
    const terminal = terminalOf();
    expect(await run(['bench', '--batch', '10g', '-b', '127.0.0.1:1'], terminal)).toBe(EXIT_USAGE);
    expect(String(terminal.stderr.read())).toMatch(
      /'--batch <bytes>' argument '10g' is invalid\. It must be from 1 to 104857600 bytes\.\n/,
    );
  });
});

describe('parts of a bench', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** What comes of it, and after how long. */
  const outcomeOf = async (work: Promise<unknown>): Promise<{ failure: unknown; ms: number }> => {
    const beganMs = performance.now();
    const ended = work.then(
      () => ({ failure: undefined, ms: performance.now() - beganMs }),
      (failure: unknown) => ({ failure, ms: performance.now() - beganMs }),
    );
    await vi.advanceTimersByTimeAsync(20_000);
    return ended;
  };
  const steady = (broker: FakeBroker, load = LOAD): Promise<unknown> =>
    steadyRecords(broker, broker, load, { rate: 100, ms: 1000, onProgress: () => undefined });

  it('takes it for a failure when a record does not come to the reader', async () => {
    const { failure } = await outcomeOf(steady(new FakeBroker((singles) => (singles === 50 ? 'lost' : 'kept'))));
    expect(failure).toMatchObject({
      name: 'UserError',
      message: '1 record of 100 never came to the reader, 5 s after the last was acknowledged.',
    });
  });

  it('takes it for none when somebody ended it before', async () => {
    const interruption = new AbortController();
    setTimeout(() => interruption.abort(), 2000);
    const broker = new FakeBroker((singles) => (singles === 50 ? 'lost' : 'kept'));
    const { failure, ms } = await outcomeOf(steady(broker, { ...LOAD, signal: interruption.signal }));
    expect(failure).toBeUndefined();
    expect(ms).toBeLessThan(2100);
  });

  it('ends when the reader fails', async () => {
    const broker = new FakeBroker();
    let fetches = 0;
    const fetch = (...words: Parameters<FakeBroker['fetch']>) => (++fetches > 10 ? Promise.reject(refusal) : broker.fetch(...words));
    const reader = { fetch, topic: broker.topic.bind(broker), offsets: broker.offsets.bind(broker) };
    const { failure, ms } = await outcomeOf(steadyRecords(broker, reader, LOAD, { rate: 100, ms: 10_000, onProgress: () => undefined }));
    expect(failure).toBe(refusal);
    expect(ms).toBeLessThan(100);
  });

  it('sends no more batches once one has failed', async () => {
    let sends = 0;
    const send = async (): Promise<[]> => {
      const isBad = ++sends === 3;
      await new Promise((resolve) => setTimeout(resolve, isBad ? 5 : 10));
      if (isBad) throw refusal;
      return [];
    };
    const { failure } = await outcomeOf(
      produceBatches({ send }, LOAD, { batchBytes: 1000, inFlight: 3, ms: 10_000, onProgress: () => undefined }),
    );
    expect(failure).toBe(refusal);
    expect(sends).toBe(3);
  });
});
