/** The cache of sessions against a model: a plain list, and Kafka's rules read out loud. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FetchSessions } from '../../../src/main/fetch-sessions.ts';
import type { SessionPartition } from '../../../src/main/fetch-session.ts';
import { FetchTargets } from '../../../src/main/fetch-targets.ts';
import type { CloseListener, RequestConnection } from '../../../src/main/requests.ts';
import { Router } from '../../../src/main/router.ts';
import { fetch } from '../../../src/protocol/apis/01-fetch.ts';
import { encodeRequest } from '../../../src/protocol/codec.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { FetchView } from '../../../src/protocol/fetch-view.ts';
import { ViewStatus } from '../../../src/protocol/view.ts';

class Wire implements RequestConnection {
  readonly id = 1;
  readonly localAddress = '127.0.0.1';
  readonly localPort = 9092;
  readonly remoteAddress = '127.0.0.1';
  readonly open = true;
  closeListener: CloseListener | null = null;

  refuse(): void {
    throw new Error('nothing here is refused');
  }

  close(): void {
    this.closeListener?.onConnectionClosed(this);
    this.closeListener = null;
  }
}

function parsed(
  sessionId: number,
  sessionEpoch: number,
  partitions: readonly number[],
  forget: readonly number[],
  topic = 'orders',
  version = 12,
) {
  const bytes = encodeRequest(fetch, version, {
    maxWaitMs: 0,
    minBytes: 0,
    maxBytes: 1,
    isolationLevel: 0,
    sessionId,
    sessionEpoch,
    topics: [{ topic, partitions: partitions.map((partition) => ({ partition, fetchOffset: 0, partitionMaxBytes: 1 })) }],
    forgottenTopicsData: [{ topic, partitions: [...forget] }],
    rackId: '',
  });
  const view = new FetchView();
  expect(view.parse(bytes, 0, bytes.length, version)).toBe(ViewStatus.OK);
  return { view, bytes };
}

interface Model {
  readonly id: number;
  readonly created: number;
  readonly wire: Wire;
  partitions: Set<number>;
  used: number;
  epoch: number;
  established: boolean;
  abandoned: boolean;
}

const EVICTION_MS = 120_000;

/** Who leaves for a new session of `size` partitions; undefined: nobody. */
function leaver(models: readonly Model[], size: number, now: number): Model | undefined {
  const byUse = [...models].sort((a, b) => a.used - b.used);
  const gone = byUse.find(({ abandoned }) => abandoned);
  if (gone !== undefined) return gone;
  if (byUse[0] !== undefined && now - byUse[0].used > EVICTION_MS) return byUse[0];
  const smallest = byUse.filter(({ established }) => established).sort((a, b) => a.partitions.size - b.partitions.size)[0];
  return smallest !== undefined && smallest.partitions.size < size ? smallest : undefined;
}

const step = fc.record({
  what: fc.constantFrom(
    'open' as const,
    'open' as const,
    'use' as const,
    'use' as const,
    'use' as const,
    'drop' as const,
    'expire' as const,
  ),
  who: fc.nat(9),
  size: fc.integer({ min: 1, max: 4 }),
  // Time only goes on, so that no two uses are of the same moment.
  passes: fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 150_000 })),
  epochOff: fc.constantFrom(0, 0, 0, 0, 1),
});

test('slots, eviction, epochs and ends agree with the model', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 80 }), fc.integer({ min: 0, max: 4 }), (steps, slotsMax) => {
      let lastId = 0;
      let told = 0;
      const sessions = new FetchSessions({ slotsMax, nextId: () => (lastId % 5) + 1, onAbandoned: () => told++ });
      const router = new Router();
      let models: Model[] = [];
      let now = 0;
      let drops = 0;
      for (const { what, who, size, passes, epochOff } of steps) {
        now += passes;
        const model = models[who % Math.max(1, models.length)];
        if (what === 'open') {
          const { view, bytes } = parsed(
            0,
            0,
            Array.from({ length: size }, (_, n) => n),
            [],
          );
          expect(sessions.enter(view, bytes, now)).toBe(ErrorCode.NONE);
          const targets = new FetchTargets<SessionPartition>();
          targets.addRequest(view, bytes, router, Infinity);
          while (models.some(({ id }) => id === (lastId % 5) + 1)) lastId++;
          const leaves = models.length < slotsMax ? undefined : leaver(models, size, now);
          if (leaves !== undefined) models = models.filter((each) => each !== leaves);
          const session = sessions.open(view, targets, now);
          expect(session !== null).toBe(models.length < slotsMax);
          if (session === null) continue;
          const wire = new Wire();
          session.becomeUsed(wire);
          const partitions = new Set(Array.from({ length: size }, (_, n) => n));
          models.push({ id: session.id, created: now, used: now, epoch: 1, partitions, established: false, abandoned: false, wire });
        } else if (what === 'use' && model !== undefined) {
          const { view, bytes } = parsed(model.id, model.epoch + epochOff, [size + 2], [size - 1]);
          const error = sessions.enter(view, bytes, now);
          expect(error).toBe(epochOff === 0 ? ErrorCode.NONE : ErrorCode.INVALID_FETCH_SESSION_EPOCH);
          if (epochOff !== 0) continue;
          model.partitions.add(size + 2);
          model.partitions.delete(size - 1);
          if (model.partitions.size === 0) {
            models = models.filter((each) => each !== model);
            expect(sessions.entered).toBeNull();
            continue;
          }
          expect(sessions.entered!.id).toBe(model.id);
          sessions.entered!.becomeUsed(model.wire);
          Object.assign(model, { used: now, epoch: model.epoch + 1, abandoned: false, established: now - model.created > EVICTION_MS });
        } else if (what === 'drop' && model !== undefined) {
          if (!model.abandoned) drops++;
          model.wire.close();
          model.abandoned = true;
        } else if (what === 'expire') {
          sessions.expire(now);
          models = models.filter(({ abandoned, used }) => !abandoned || now - used <= EVICTION_MS);
        }
        expect(sessions.size).toBe(models.length);
        expect(sessions.abandoned).toBe(models.filter(({ abandoned }) => abandoned).length);
        expect(sessions.bytes > 0).toBe(models.length > 0);
      }
      expect(told).toBe(drops);
      for (const { id, epoch } of models) {
        const { view, bytes } = parsed(id, epoch, [], []);
        expect(sessions.enter(view, bytes, now)).toBe(ErrorCode.NONE);
        sessions.close(sessions.entered!);
      }
      expect([sessions.size, sessions.bytes, sessions.abandoned]).toEqual([0, 0, 0]);
    }),
    { numRuns: Number(process.env['RUNS'] ?? 300) },
  );
});

test('sessions cost no more memory than their budget, whatever clients put into them', () => {
  const bytesMax = 200_000;
  let id = 0;
  const sessions = new FetchSessions({ slotsMax: 1000, nextId: () => ++id, onAbandoned: () => undefined, bytesMax });
  const router = new Router();
  const open = (partitions: number, now: number) => {
    const { view, bytes } = parsed(
      0,
      0,
      Array.from({ length: partitions }, (_, n) => n),
      [],
    );
    sessions.enter(view, bytes, now);
    const targets = new FetchTargets<SessionPartition>();
    targets.addRequest(view, bytes, router, Infinity);
    const session = sessions.open(view, targets, now);
    expect(sessions.bytes).toBeLessThanOrEqual(bytesMax);
    return session;
  };
  expect(open(10_000, 0)).toBeNull();
  expect(sessions.size).toBe(0);
  const first = open(300, 0)!;
  expect(first).not.toBeNull();
  const second = open(300, 1)!;
  expect(open(300, 2)).toBeNull();
  // An incremental request that asks for more than there is ends its session, and only that.
  const { view, bytes } = parsed(
    second.id,
    1,
    Array.from({ length: 3000 }, (_, n) => n),
    [],
  );
  expect(sessions.enter(view, bytes, 3)).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
  expect([second.closed, first.closed, sessions.size]).toEqual([true, false, 1]);
  // Names of topics count, too.
  const long = parsed(first.id, 1, [0], [], 'x'.repeat(32_000));
  expect(sessions.enter(long.view, long.bytes, 4)).toBe(ErrorCode.NONE);
  const longer = parsed(first.id, 2, [0], [], 'y'.repeat(32_000));
  expect(sessions.enter(longer.view, longer.bytes, 5)).toBe(ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
  expect([sessions.size, sessions.bytes]).toEqual([0, 0]);
  // Who was not used for long makes room.
  open(500, 10);
  expect(open(500, 200_000)).not.toBeNull();
  expect(sessions.size).toBe(1);
});
