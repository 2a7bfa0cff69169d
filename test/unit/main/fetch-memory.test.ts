import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FetchMemory, type MemoryWaiter, type Region } from '../../../src/main/fetch-memory.ts';

const MIB = 1 << 20;

class Waiter implements MemoryWaiter {
  readonly bytesWanted: number;
  region: Region | null = null;

  constructor(bytesWanted: number) {
    this.bytesWanted = bytesWanted;
  }

  onMemory(region: Region): void {
    this.region = region;
  }
}

test('nobody overtakes in a lane, also who would fit; another lane is not held up', () => {
  const memory = new FetchMemory(4 * MIB);
  const held = [memory.tryAllocate(MIB), memory.tryAllocate(MIB), memory.tryAllocate(MIB)];
  const first = new Waiter(MIB);
  memory.wait(first);
  expect(memory.tryAllocate(100_000)).toBeNull();
  const second = new Waiter(100_000);
  memory.wait(second);
  expect([first.region, second.region]).toEqual([null, null]);
  const small = memory.tryAllocate(50_000);
  expect(small).not.toBeNull();
  memory.free(held[1]!);
  expect(first.region).not.toBeNull();
  expect(second.region).not.toBeNull();
  for (const region of [held[0]!, held[2]!, first.region!, second.region!, small!]) memory.free(region);
  expect(memory.freeBytes).toBe(4 * MIB);
});

test('who gives up lets the next one through', () => {
  const memory = new FetchMemory(4 * MIB);
  const held = [memory.tryAllocate(MIB)!, memory.tryAllocate(MIB)!, memory.tryAllocate(MIB)!];
  const [large, little] = [new Waiter(MIB), new Waiter(100_000)];
  memory.wait(large);
  memory.wait(little);
  expect(little.region).toBeNull();
  memory.cancel(large);
  memory.cancel(large);
  expect(little.region).not.toBeNull();
  for (const region of [...held, little.region!]) memory.free(region);
  expect(memory.freeBytes).toBe(4 * MIB);
});

test('one oversized buffer at a time', () => {
  const memory = new FetchMemory(4 * MIB);
  const first = memory.tryAllocate(9 * MIB)!;
  expect(first.bytes.length).toBe(9 * MIB);
  expect(memory.tryAllocate(9 * MIB)).toBeNull();
  const waiter = new Waiter(20 * MIB);
  memory.wait(waiter);
  memory.free(first);
  expect(waiter.region!.length).toBe(20 * MIB);
  expect(() => memory.free(first)).toThrow('given back once');
  memory.free(waiter.region!);
});

test('regions never overlap, and all memory comes back', () => {
  const step = fc.record({ bytes: fc.integer({ min: 1, max: 3 * MIB }), free: fc.nat(20), waits: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const memory = new FetchMemory(4 * MIB);
      const held: Region[] = [];
      const waiters: Waiter[] = [];
      for (const { bytes, free, waits } of steps) {
        const region = memory.tryAllocate(bytes);
        if (region !== null) {
          for (const other of held) {
            const apart =
              region.bytes !== other.bytes || region.start >= other.start + other.length || other.start >= region.start + region.length;
            expect(apart).toBe(true);
          }
          held.push(region);
        } else if (waits) {
          const waiter = new Waiter(bytes);
          waiters.push(waiter);
          memory.wait(waiter);
        }
        if (free < held.length) memory.free(held.splice(free, 1)[0]!);
        for (const waiter of waiters.splice(0)) {
          if (waiter.region !== null) held.push(waiter.region);
          else waiters.push(waiter);
        }
      }
      while (held.length > 0 || waiters.length > 0) {
        if (held.length > 0) memory.free(held.pop()!);
        for (const waiter of waiters.splice(0)) {
          if (waiter.region !== null) held.push(waiter.region);
          else waiters.push(waiter);
        }
      }
      expect(memory.freeBytes).toBe(4 * MIB);
      expect(memory.waiters).toBe(0);
    }),
  );
});
