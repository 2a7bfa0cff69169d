import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fetch } from '../../../src/protocol/apis/01-fetch.ts';
import { ReadBench, settle, type FakeRequest, type LogWriter, type StoredBatch } from '../../support/read-bench.ts';
import { until } from '../../support/wire-client.ts';

type Step =
  | { readonly kind: 'append'; readonly records: number; readonly bytes: number }
  | { readonly kind: 'roll' }
  | { readonly kind: 'truncate'; readonly back: number }
  | { readonly kind: 'logStart'; readonly part: number }
  | { readonly kind: 'restart' }
  | {
      readonly kind: 'fetch';
      readonly part: number;
      readonly maxBytes: number;
      readonly partitionMaxBytes: number;
      readonly minBytes: number;
      readonly wait: boolean;
      readonly drainLater: boolean;
    };

const sizes = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 400 }) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 9000 }) },
  { weight: 1, arbitrary: fc.integer({ min: 60_000, max: 90_000 }) },
);
const limits = fc.oneof(fc.integer({ min: 0, max: 2000 }), fc.integer({ min: 0, max: 200_000 }), fc.constant(1 << 30));
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('append' as const), records: fc.integer({ min: 1, max: 20 }), bytes: sizes }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'roll' as const }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), back: fc.integer({ min: 1, max: 60 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('logStart' as const), part: fc.float({ min: 0, max: 1, noNaN: true }) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  {
    weight: 10,
    arbitrary: fc.record({
      kind: fc.constant('fetch' as const),
      part: fc.float({ min: 0, max: 1, noNaN: true }),
      maxBytes: limits,
      partitionMaxBytes: limits,
      minBytes: fc.oneof(fc.constant(1), fc.integer({ min: 0, max: 5000 })),
      wait: fc.boolean(),
      drainLater: fc.boolean(),
    }),
  },
);

/** What a fetch of a log with these batches must give: the naive way. */
function expected(batches: readonly StoredBatch[], offset: number, limit: number): Buffer {
  const first = batches.findIndex((batch) => batch.last >= offset);
  if (first === -1) return Buffer.alloc(0);
  const pieces: Buffer[] = [];
  let bytes = 0;
  for (let i = first; i < batches.length; i++) {
    const batch = batches[i]!;
    // One fetch reads from one segment.
    if (batch.segmentBase !== batches[first]!.segmentBase) break;
    if (pieces.length > 0 && bytes + batch.bytes.length > limit) break;
    pieces.push(batch.bytes);
    bytes += batch.bytes.length;
    if (bytes >= limit) break;
  }
  return Buffer.concat(pieces);
}

function logStart(log: LogWriter, part: number): void {
  const batch = log.batches[Math.floor(part * (log.batches.length - 1))];
  if (batch === undefined || batch.base <= log.state.logStartOffset) return;
  log.state.logStartOffset = batch.base + (batch.last > batch.base ? 1 : 0);
  const retired: number[] = [];
  while (log.state.segments.length > 1 && log.state.segments[0]!.endOffset <= log.state.logStartOffset)
    retired.push(log.state.segments.shift()!.baseOffset);
  log.batches = log.batches.filter(({ segmentBase }) => !retired.includes(segmentBase));
  log.view.onLogStartSet(log.state.logStartOffset, retired);
}

/** Only to where a batch ends, and not below the log start. */
function truncate(log: LogWriter, endOffset: number): void {
  const ends = log.batches.map(({ last }) => last + 1).filter((end) => end >= log.state.logStartOffset && end <= endOffset);
  const end = ends.at(-1);
  if (end !== undefined) log.truncate(end);
}

test('random appends, rolls, truncations and fetches agree with the naive model', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 60 }),
      fc.constantFrom(1, 200, 4096),
      fc.boolean(),
      async (steps, indexIntervalBytes, few) => {
        const bench = new ReadBench({ indexIntervalBytes, ...(few ? { descriptorsMax: 1 } : {}) });
        const log = bench.addTopic('orders')[0]!;
        const undrained: FakeRequest[] = [];
        try {
          for (const next of steps) {
            if (next.kind === 'append') log.append(next.records, next.bytes);
            else if (next.kind === 'roll') {
              if (log.state.segments.length > 0) log.roll();
            } else if (next.kind === 'truncate') truncate(log, log.state.endOffset - next.back);
            else if (next.kind === 'logStart') logStart(log, next.part);
            else if (next.kind === 'restart') log.restart();
            else {
              const { logStartOffset, endOffset } = log.state;
              const offset = logStartOffset + Math.round(next.part * (endOffset - logStartOffset));
              const limit = Math.min(next.maxBytes, next.partitionMaxBytes, 1 << 20);
              const want = expected(log.batches, offset, limit);
              const request = bench.beginFetch('orders', [{ offset, maxBytes: next.partitionMaxBytes }], {
                maxBytes: next.maxBytes,
                minBytes: next.minBytes,
                maxWaitMs: next.wait ? 500 : 0,
              });
              await settle(3);
              // Time is up for it only once it waits; what it reads before takes the disk's own time.
              await until(() => request.answer !== null || (log.view.waiters?.size ?? 0) > 0, `fetch of ${offset} is answered or waits`);
              bench.advance(600);
              await until(() => request.answer !== null, `fetch of ${offset} is answered`);
              const data = request.decode(fetch).responses[0]!.partitions[0]!;
              expect(data.errorCode).toBe(0);
              expect(data.highWatermark).toBe(BigInt(endOffset));
              expect(data.logStartOffset).toBe(BigInt(logStartOffset));
              if (!data.records!.equals(want))
                throw new Error(`fetch of ${offset} with limit ${limit} gave ${data.records!.length} bytes, expected ${want.length}`);
              if (next.drainLater) undrained.push(request);
              else request.drain();
            }
          }
          await settle(3);
          for (const request of undrained) request.drain();
          await settle(3);
          expect(bench.side.memory.freeBytes).toBe(16 << 20);
          expect(bench.side.fetch.operations).toBe(0);
          if (few) expect(bench.side.reader.openDescriptors).toBeLessThanOrEqual(1);
        } finally {
          bench.close();
        }
      },
    ),
    { numRuns: Number(process.env['RUNS'] ?? 60), endOnFailure: process.env['RUNS'] !== undefined },
  );
});
