import { describe, expect, it } from 'vitest';
import { changeEach, distinctEach, encodeEach, readEach } from '../../../src/main/handlers/paced.ts';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { PartedResponse } from '../../../src/protocol/parted-response.ts';
import { FakeRequest } from '../../support/read-bench.ts';

const items = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const request = () => new FakeRequest(metadata, 12, { topics: [] });
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Counts the turns that everybody else gets until `work` is over. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let next = setImmediate(function count() {
    turns++;
    next = setImmediate(count);
  });
  await work;
  clearImmediate(next);
  return turns;
}

describe('many changes of one request', () => {
  it('have their outcomes in the order of the request, however long each takes', async () => {
    const outcomes = await changeEach(request(), items(700), async (n) => {
      for (let turn = 0; turn < (n * 7) % 5; turn++) await nextTurn();
      return n * 2;
    });
    expect(outcomes).toEqual(items(700).map((n) => n * 2));
  });

  it('are made a bounded number at a time, and more than one', async () => {
    let running = 0;
    let most = 0;
    await changeEach(request(), items(2000), async () => {
      most = Math.max(most, ++running);
      await nextTurn();
      running--;
    });
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(256);
  });

  it('leave turns to everybody else, also when none of them waits for anything', async () => {
    expect(await turnsDuring(changeEach(request(), items(50_000), async (n) => n))).toBeGreaterThan(100);
  });

  it('end with the first that fails for a reason that nobody foresaw', async () => {
    const failing = changeEach(request(), items(10), async (n) => {
      if (n === 3) throw new Error('a bug');
    });
    await expect(failing).rejects.toThrow('a bug');
  });

  it('may be none', async () => {
    expect(await changeEach(request(), [], async () => 1)).toEqual([]);
  });
});

describe('many look-ups of one request', () => {
  it('stop when the client is gone', async () => {
    const asker = request();
    let looked = 0;
    const found = await readEach(asker, items(10_000), async () => {
      if (++looked === 50) asker.connection.open = false;
      await nextTurn();
    });
    expect(found).toBeNull();
    expect(looked).toBeLessThan(60);
  });

  it('leave turns to everybody else', async () => {
    expect(await turnsDuring(readEach(request(), items(50_000), (n) => n))).toBeGreaterThan(100);
  });
});

describe('many things that are named', () => {
  it('are told apart in steps, and the first of each stays in its place', async () => {
    const asker = request();
    const named = items(20_000).map((n) => ({ n, key: `key ${n % 7000}` }));
    const first = distinctEach(asker, named, ({ key }) => key);
    expect(await turnsDuring(first)).toBeGreaterThanOrEqual(20);
    expect(await first).toEqual(named.slice(0, 7000));
    expect(asker.steps.made).toBeGreaterThanOrEqual(20);
  });

  it('need no step if they are few', async () => {
    const asker = request();
    expect(await distinctEach(asker, ['b', 'a', 'b'], (key) => key)).toEqual(['b', 'a']);
    expect(asker.steps.made).toBe(0);
  });
});

describe('a long answer', () => {
  const topic = (n: number) => ({ errorCode: 0, name: `topic-${n}`, partitions: [] });

  it('leaves turns to everybody else while it is encoded, and leaves out what is gone', async () => {
    const response = new PartedResponse(metadata, 12, 'topics');
    const turns = await turnsDuring(
      encodeEach(
        request(),
        response,
        items(50_000),
        (n) => (n % 2 === 0 ? topic(n) : null),
        () => 1,
      ),
    );
    expect(turns).toBeGreaterThan(10);
    const whole = new PartedResponse(metadata, 12, 'topics');
    whole.add(items(25_000).map((n) => topic(n * 2)));
    const rest = { brokers: [], clusterId: null, controllerId: 1 };
    expect(Buffer.concat(response.finish(1, rest)).equals(Buffer.concat(whole.finish(1, rest)))).toBe(true);
  });

  it('ends early when the client is gone', async () => {
    const asker = request();
    const response = new PartedResponse(metadata, 12, 'topics');
    let encoded = 0;
    const isWanted = await encodeEach(
      asker,
      response,
      items(50_000),
      (n) => {
        if (++encoded === 10) asker.connection.open = false;
        return topic(n);
      },
      () => 1,
    );
    expect(isWanted).toBe(false);
    expect(encoded).toBeLessThan(10_000);
  });
});
