import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LargeRequests } from '../../../src/main/large-requests.ts';
import type { ApiRequest, Request } from '../../../src/main/requests.ts';
import { ApiKey } from '../../../src/protocol/api-versions.ts';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { encodeRequestFrame, encodeResponseFrame } from '../../../src/protocol/frame.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { until, type WireClient } from '../../support/wire-client.ts';

const AT_ONCE = 4;
const ask = (topics: number) =>
  encodeRequestFrame(metadata, 1, 1, 'test', { topics: Array.from({ length: topics }, (_, n) => ({ name: `topic-${n}` })) });
const answer = () => encodeResponseFrame(metadata, 1, 1, { brokers: [], controllerId: 1, topics: [] });

describe('large requests of many connections', () => {
  let bench: IngressBench;
  const begun: Request[] = [];
  const done: (() => void)[] = [];

  beforeEach(async () => {
    begun.length = done.length = 0;
    bench = await IngressBench.start();
    bench.ingress.handle(ApiKey.METADATA, (request) => {
      begun.push(request);
      return new Promise<void>((resolve) => {
        done.push(() => {
          request.respond([answer()]);
          resolve();
        });
      });
    });
  });
  afterEach(() => bench.stop());

  async function clients(count: number, bytes: Buffer): Promise<WireClient[]> {
    const made: WireClient[] = [];
    for (let n = 0; n < count; n++) {
      const client = await bench.connect();
      client.write(bytes);
      made.push(client);
      await until(() => begun.length >= Math.min(n + 1, AT_ONCE), 'it has a turn, if there is one');
    }
    return made;
  }

  it('are handled a few at a time, each in its turn, while small ones pass', async () => {
    const large = await clients(AT_ONCE + 3, ask(4000));
    const small = await bench.connect();
    small.write(ask(1000));
    await until(() => begun.length === AT_ONCE + 1, 'the small one is handled');
    done[AT_ONCE]!();
    await small.next();
    for (const next of [AT_ONCE, AT_ONCE + 1, AT_ONCE + 2]) {
      done[next - AT_ONCE]!();
      await large[next - AT_ONCE]!.next();
      await until(() => begun.length === next + 2, 'the next one has its turn');
    }
    for (const finish of done.slice(3, AT_ONCE).concat(done.slice(AT_ONCE + 1))) finish();
    for (const client of large.slice(3)) await client.next();
    expect(bench.usedBytes).toBe(0);
  });

  it('give their turn and their memory on when their connection closes, before or after it came', async () => {
    const large = await clients(AT_ONCE + 2, ask(4000));
    expect(bench.usedBytes).toBeGreaterThan(0);
    large[AT_ONCE]!.destroy();
    await until(() => bench.ingress.listener.size === AT_ONCE + 1, 'one that waited is gone');
    large[0]!.destroy();
    await until(() => bench.ingress.listener.size === AT_ONCE, 'one that had its turn is gone');
    expect(begun.length).toBe(AT_ONCE);
    done[0]!();
    await until(() => begun.length === AT_ONCE + 1, 'the last one has its turn');
    for (const finish of done.slice(1)) finish();
    await large[AT_ONCE + 1]!.next();
    await until(() => bench.usedBytes === 0, 'all memory is back');
  });
});

describe('an answer that its client does not take', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  interface Fake {
    done: boolean;
    answerBytes: number;
    closeReason: string | null;
    onReleased: (() => void) | null;
  }
  const fake = (): Fake & ApiRequest => {
    const request = { done: false, answerBytes: 0, closeReason: null as string | null, onReleased: null as (() => void) | null };
    const connection = {
      close: (reason: string) => {
        request.closeReason = reason;
        request.onReleased?.();
      },
    };
    return Object.assign(request, { connection }) as unknown as Fake & ApiRequest;
  };

  it('costs the connection while others wait for the turn, the later the larger it is, and never before', () => {
    const begun: ApiRequest[] = [];
    let nowMs = 1000;
    const large = new LargeRequests(
      (request) => begun.push(request),
      () => nowMs,
    );
    const pass = (ms: number): void => {
      nowMs += ms;
      vi.advanceTimersByTime(ms);
    };
    const holders = Array.from({ length: AT_ONCE }, fake);
    for (const holder of holders) large.add(holder);
    holders[0]!.done = true;
    holders[1]!.done = true;
    holders[1]!.answerBytes = 4096 * 10_000;
    pass(60_000);
    expect([begun.length, holders[0]!.closeReason]).toEqual([AT_ONCE, null]);
    const [first, second] = [fake(), fake()];
    large.add(first);
    large.add(second);
    for (let ms = 0; ms < 5000; ms += 500) pass(500);
    expect(holders[0]!.closeReason).toMatch(/does not take its answer/);
    expect([begun.at(-1), large.waiting, holders[1]!.closeReason, holders[2]!.closeReason]).toEqual([first, 1, null, null]);
    for (let ms = 0; ms < 10_000; ms += 500) pass(500);
    expect(holders[1]!.closeReason).toMatch(/does not take its answer/);
    expect([begun.at(-1), large.waiting, holders[2]!.closeReason]).toEqual([second, 0, null]);
  });
});
