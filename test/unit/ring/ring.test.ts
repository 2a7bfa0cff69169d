/** Rings and slab without threads; `npm run stress` runs them with. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { getLong, setLong } from '../../../src/ring/completion.ts';
import { createJobResults, JobResults } from '../../../src/ring/job-results.ts';
import { createRing, RingConsumer, RingProducer } from '../../../src/ring/ring.ts';
import { createSlab, SLAB_UNIT, SlabAllocator } from '../../../src/ring/slab.ts';

test('slots come out in order, once each, whatever the interleaving', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 60 }), (steps) => {
      const memory = createRing(8, 4);
      const producer = new RingProducer(memory);
      const consumer = new RingConsumer(memory);
      let sent = 0;
      let received = 0;
      for (const [write, read] of steps) {
        for (let i = 0; i < write && producer.free(1) >= 1; i++) producer.words[producer.claim()] = sent++;
        producer.publish();
        const n = Math.min(read, consumer.available());
        for (let i = 0; i < n; i++) expect(consumer.words[consumer.at(i)]).toBe(received++);
        consumer.release(n);
        expect(producer.free(8)).toBe(8 - (sent - received));
      }
      expect(consumer.available()).toBe(sent - received);
    }),
  );
});

test('nothing is visible before it is published, and a full ring refuses', () => {
  const memory = createRing(4, 2);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  for (let i = 0; i < 4; i++) producer.claim();
  expect(consumer.available()).toBe(0);
  expect(() => producer.claim()).toThrow(/overrun/);
  producer.publish();
  expect(consumer.available()).toBe(4);
});

test('cursors wrap around 2^32', () => {
  const memory = createRing(4, 2);
  new Int32Array(memory.buffer).fill(0x7ffffffe, 0, 1).fill(0x7ffffffe, 16, 17);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  for (let i = 0; i < 10; i++) {
    producer.words[producer.claim()] = i;
    producer.publish();
    expect(consumer.available()).toBe(1);
    expect(consumer.words[consumer.at(0)]).toBe(i);
    consumer.release(1);
  }
});

test('int64 fields keep every safe integer', () => {
  const words = new Int32Array(2);
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      setLong(words, 0, value);
      expect(getLong(words, 0)).toBe(value);
    }),
  );
});

test('the slab never hands out the same byte twice and takes everything back', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 5 * SLAB_UNIT }), free: fc.nat(20) }), { maxLength: 80 }),
      (steps) => {
        const slab = new SlabAllocator(createSlab(32 * SLAB_UNIT));
        const held: { at: number; bytes: number }[] = [];
        for (const { bytes, free } of steps) {
          const at = slab.allocate(bytes);
          if (at >= 0) {
            for (const other of held)
              expect(at + SlabAllocator.sizeOf(bytes) <= other.at || other.at + SlabAllocator.sizeOf(other.bytes) <= at).toBe(true);
            held.push({ at, bytes });
          }
          const gone = held.splice(free, 1)[0];
          if (gone !== undefined) slab.free(gone.at, gone.bytes);
        }
        for (const { at, bytes } of held) slab.free(at, bytes);
        expect(slab.freeBytes).toBe(32 * SLAB_UNIT);
        expect(slab.allocate(32 * SLAB_UNIT)).toBe(0);
      },
    ),
  );
});

test('freeing twice is a bug that shows', () => {
  const slab = new SlabAllocator(createSlab(4 * SLAB_UNIT));
  const at = slab.allocate(10);
  slab.free(at, 10);
  expect(() => slab.free(at, 10)).toThrow(/freed twice/);
});

test('an outcome is seen under its own number only', () => {
  const buffer = createJobResults();
  const main = new JobResults(buffer);
  const shard = new JobResults(buffer);
  main.complete('sync', 3, 1);
  main.complete('prepareJournal', 4, 2);
  expect(shard.statusOf('checkpoint', 3)).toBe(1);
  expect(shard.statusOf('sync', 4)).toBe(-1);
  expect(shard.statusOf('prepareJournal', 4)).toBe(2);
});
