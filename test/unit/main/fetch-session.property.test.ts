/** Random histories of a session against a model that knows no lines and no due partitions: it looks at everything, as Kafka does. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MutableTopic } from '../../../src/main/router.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { ReadBench, settle, type FetchAsk, type LogWriter } from '../../support/read-bench.ts';
import { SessionClient } from '../../support/session-client.ts';

const TOPICS = ['a', 'b'] as const;
const PARTITIONS = 3;
type Place = { readonly topic: (typeof TOPICS)[number]; readonly partition: number };

type Step =
  | ({ readonly kind: 'append' } & Place)
  | ({ readonly kind: 'logStart' } & Place)
  | ({ readonly kind: 'truncate' } & Place)
  | { readonly kind: 'remake'; readonly topic: Place['topic'] }
  | {
      readonly kind: 'fetch';
      readonly asks: readonly (Place & { readonly where: 'next' | 'start' | 'beyond'; readonly leaderEpoch: number })[];
      readonly forget: readonly Place[];
      readonly wait: boolean;
      readonly fresh: boolean;
    };

const place = { topic: fc.constantFrom(...TOPICS), partition: fc.nat(PARTITIONS) };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), ...place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('logStart' as const), ...place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), ...place }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remake' as const), topic: place.topic }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('fetch' as const),
      asks: fc.array(
        fc.record({
          ...place,
          where: fc.constantFrom('next' as const, 'next' as const, 'next' as const, 'start' as const, 'beyond' as const),
          leaderEpoch: fc.constantFrom(-1, 3, 3, 3, 2),
        }),
        { maxLength: 5 },
      ),
      forget: fc.array(fc.record(place), { maxLength: 1 }),
      wait: fc.boolean(),
      fresh: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    }),
  },
);

/** What the model holds of a partition of the session. */
interface Member {
  offset: number;
  leaderEpoch: number;
  highWatermark: number;
  logStartOffset: number;
}

/** What the client must be told of it now. */
interface Expected {
  readonly error: number;
  readonly highWatermark: number;
  readonly logStartOffset: number;
  readonly records: Buffer;
}

class World {
  readonly bench = new ReadBench();
  readonly client: SessionClient;
  readonly logs = new Map<string, LogWriter[]>();
  readonly members = new Map<string, Member>();
  /** Ids that the session uses, by topic: they are of its first mention. */
  private readonly byId: boolean;

  constructor(byId: boolean) {
    this.byId = byId;
    this.client = new SessionClient(this.bench, byId ? 13 : 12);
    for (const topic of TOPICS) this.logs.set(topic, this.bench.addTopic(topic, PARTITIONS));
  }

  log({ topic, partition }: Place): LogWriter | undefined {
    return this.logs.get(topic)![partition];
  }

  remake(topic: Place['topic']): void {
    for (const { view } of this.logs.get(topic)!) {
      const old = view.topic as MutableTopic;
      old.deleted = true;
      if (this.bench.router.topicByName(topic) === old) this.bench.router.removeTopic(old);
      view.becomeState('offline');
    }
    this.logs.set(topic, this.bench.addTopic(topic, PARTITIONS));
  }

  expected(name: string, member: Member): Expected {
    const [topic, partition] = name.split('-') as [Place['topic'], string];
    const log = this.logs.get(topic)![Number(partition)];
    const failed = (error: number): Expected => ({ error, highWatermark: -1, logStartOffset: -1, records: Buffer.alloc(0) });
    if (this.byId && this.client.ids.get(topic) !== this.bench.router.topicByName(topic)!.id) return failed(ErrorCode.UNKNOWN_TOPIC_ID);
    if (log === undefined) return failed(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    if (member.leaderEpoch === 2) return failed(ErrorCode.FENCED_LEADER_EPOCH);
    const { logStartOffset, endOffset } = log.state;
    if (member.offset < logStartOffset || member.offset > endOffset) return failed(ErrorCode.OFFSET_OUT_OF_RANGE);
    const batches = log.batches.filter(({ last }) => last >= member.offset).map(({ bytes }) => bytes);
    return { error: 0, highWatermark: endOffset, logStartOffset, records: Buffer.concat(batches) };
  }
}

function offsetOf(log: LogWriter | undefined, where: 'next' | 'start' | 'beyond'): number {
  if (log === undefined || where === 'start') return 0;
  return where === 'next' ? log.state.endOffset : log.state.endOffset + 2;
}

async function fetchAndCompare(world: World, next: Extract<Step, { kind: 'fetch' }>): Promise<void> {
  const { client, members } = world;
  const full = client.sessionId === 0 || next.fresh;
  if (full) members.clear();
  const ask: Record<string, FetchAsk[]> = {};
  for (const each of next.asks) {
    const { topic, partition, leaderEpoch } = each;
    if (ask[topic]?.some((other) => other.partition === partition) === true) continue;
    const offset = offsetOf(world.log(each), each.where);
    (ask[topic] ??= []).push({ partition, offset, leaderEpoch });
    const known = members.get(`${topic}-${partition}`);
    if (known === undefined) members.set(`${topic}-${partition}`, { offset, leaderEpoch, highWatermark: -1, logStartOffset: -1 });
    else Object.assign(known, { offset, leaderEpoch });
  }
  const forget: Record<string, number[]> = {};
  if (!full)
    for (const { topic, partition } of next.forget) {
      (forget[topic] ??= []).push(partition);
      members.delete(`${topic}-${partition}`);
    }
  const ends = !full && members.size === 0;
  const request = client.begin({ ask, forget, maxWaitMs: next.wait ? 100 : 0, ...(full ? { sessionEpoch: 0 } : {}) });
  await settle(1);
  if (request.answer === null) world.bench.advance(200);
  const answer = await client.end(request);
  expect(answer.errorCode).toBe(0);
  if (ends) {
    expect(answer.sessionId).toBe(0);
    return;
  }
  expect(answer.sessionId).not.toBe(0);
  const told = client.partitionsOf(answer);
  for (const [name, member] of members) {
    const want = world.expected(name, member);
    const isNews = want.error !== 0 || want.highWatermark !== member.highWatermark || want.logStartOffset !== member.logStartOffset;
    const mustTell = full || isNews || want.records.length > 0;
    const got = told.get(name);
    if ((got !== undefined) !== mustTell) throw new Error(`${name}: ${mustTell ? 'has to be told' : 'was told without news'}`);
    if (got === undefined) continue;
    const { errorCode, highWatermark, logStartOffset, records } = got;
    expect({ name, errorCode, highWatermark, logStartOffset }).toEqual({
      name,
      errorCode: want.error,
      highWatermark: BigInt(want.highWatermark),
      logStartOffset: BigInt(want.logStartOffset),
    });
    if (!(records ?? Buffer.alloc(0)).equals(want.records)) throw new Error(`${name}: other records than expected`);
    member.highWatermark = want.highWatermark;
    member.logStartOffset = want.logStartOffset;
    told.delete(name);
  }
  expect([...told.keys()]).toEqual([]);
}

function change(world: World, next: Exclude<Step, { kind: 'fetch' }>): void {
  if (next.kind === 'remake') return world.remake(next.topic);
  const log = world.log(next);
  if (log === undefined) return;
  const { state } = log;
  if (next.kind === 'append') log.append(2, 10);
  else if (next.kind === 'truncate') {
    if (state.endOffset >= state.logStartOffset + 2) log.truncate(state.endOffset - 1);
  } else if (state.endOffset > state.logStartOffset) {
    state.logStartOffset++;
    log.view.onLogStartSet(state.logStartOffset, []);
    // Batches below the log start are not looked at again.
  }
}

test('a session tells each change once, and records and errors until the client goes on, as a model that looks at everything', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 50 }), fc.boolean(), async (steps, byId) => {
      const world = new World(byId);
      try {
        for (const next of steps) {
          if (next.kind === 'fetch') await fetchAndCompare(world, next);
          else change(world, next);
        }
        // Nothing is left behind, whatever happened.
        await world.client.fetch({ sessionEpoch: -1 });
        expect([world.bench.side.fetch.sessions.size, world.bench.side.fetch.sessions.bytes]).toEqual([0, 0]);
        for (const logs of world.logs.values()) for (const { view } of logs) expect(view.waiters?.size ?? 0).toBe(0);
        expect(world.bench.side.memory.freeBytes).toBe(16 << 20);
        expect(world.bench.side.fetch.operations).toBe(0);
      } finally {
        world.bench.close();
      }
    }),
    { numRuns: Number(process.env['RUNS'] ?? 60), endOnFailure: process.env['RUNS'] !== undefined },
  );
});
