import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Area,
  CHUNKED_FRAME_BYTES_MAX,
  Grant,
  ReceiveRegions,
  SMALL_FRAME_BYTES_MAX,
  type MemoryWaiter,
} from '../../../src/main/regions.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

class Waiter implements MemoryWaiter {
  readonly grant = new Grant();
  readonly wantedBytes: number;
  readonly log: number[];
  readonly id: number;
  constructor(id: number, wantedBytes: number, log: number[]) {
    this.id = id;
    this.wantedBytes = wantedBytes;
    this.log = log;
  }
  onGranted(): void {
    this.log.push(this.id);
  }
}

function make(budgetBytes = 4 * MIB, requestBytesMax = MIB): { regions: ReceiveRegions; calls: { room: number } } {
  const calls = { room: 0 };
  return { regions: new ReceiveRegions({ budgetBytes, requestBytesMax, onRoom: () => calls.room++ }), calls };
}

describe('receive regions', () => {
  it('give large frames at most three quarters, so that small ones always have their part', () => {
    const { regions } = make();
    const grants: Grant[] = [];
    for (;;) {
      const grant = new Grant();
      if (!regions.tryGrant(grant, MIB)) break;
      grants.push(grant);
    }
    expect(grants.length).toBe(3);
    const small = new Grant();
    expect(regions.tryGrant(small, SMALL_FRAME_BYTES_MAX)).toBe(true);
    expect(regions.tryPlace(new Grant(), 100)).toBe(true);
  });

  it('serve those who wait in order, and let nobody overtake', () => {
    const { regions, calls } = make();
    const held = [new Grant(), new Grant(), new Grant()];
    for (const grant of held) expect(regions.tryGrant(grant, MIB)).toBe(true);
    const log: number[] = [];
    const waiters = [new Waiter(0, MIB, log), new Waiter(1, 100 * KIB, log), new Waiter(2, MIB, log)];
    for (const waiter of waiters) regions.wait(waiter);
    expect(regions.scarce).toBe(true);
    regions.release(held[0]!);
    expect(calls.room).toBe(1);
    // Room is there, but it belongs to the first in line.
    expect(regions.tryGrant(new Grant(), 100 * KIB)).toBe(false);
    regions.serve();
    expect(log).toEqual([0]);
    regions.release(held[1]!);
    regions.cancel(waiters[1]!);
    regions.serve();
    expect(log).toEqual([0, 2]);
    for (const grant of [held[2]!, waiters[0]!.grant, waiters[2]!.grant]) regions.release(grant);
    expect([regions.usedBytes, regions.waiting, regions.scarce]).toEqual([0, 0, false]);
  });

  it('take one oversized frame at a time, beside the budget', () => {
    const { regions } = make(4 * MIB, 100 * MIB);
    const first = new Grant();
    expect(regions.tryGrant(first, 100 * MIB)).toBe(true);
    expect(first.area).toBe(Area.oversized);
    expect(regions.tryGrant(new Grant(), 50 * MIB)).toBe(false);
    const large = new Grant();
    expect(regions.tryGrant(large, 3 * MIB)).toBe(true);
    expect(regions.memory.byteLength).toBe(104 * MIB);
    const log: number[] = [];
    const waiter = new Waiter(7, 50 * MIB, log);
    regions.wait(waiter);
    regions.release(first);
    regions.serve();
    expect(log).toEqual([7]);
    regions.release(waiter.grant);
    regions.release(large);
    expect(regions.usedBytes).toBe(0);
  });

  it('have no oversized area when no such frame is allowed', () => {
    expect(make(64 * MIB, MIB).regions.memory.byteLength).toBe(64 * MIB);
  });

  it('fit a slab however large budget and requests are', () => {
    const { regions } = make(8 * 1024 * MIB, 1024 * MIB);
    expect(regions.memory.byteLength).toBeLessThan(2 ** 31);
    const grant = new Grant();
    expect(regions.tryGrant(grant, 1024 * MIB)).toBe(true);
    regions.release(grant);
    expect(() => make(8 * 1024 * MIB, 1024 * MIB + 1)).toThrow('do not fit a slab');
  });

  it('give an idle chunk up for a frame that needs its room', () => {
    const { regions } = make(MIB, 512 * KIB);
    const placed = new Grant();
    expect(regions.tryPlace(placed, 10)).toBe(true);
    regions.release(placed);
    const grants = [1, 2, 3, 4].map(() => new Grant());
    for (const grant of grants) expect(regions.tryGrant(grant, SMALL_FRAME_BYTES_MAX)).toBe(true);
    expect(regions.tryPlace(placed, 10)).toBe(false);
    regions.release(grants[0]!);
    expect(regions.tryPlace(placed, 10)).toBe(true);
  });

  it('refuse a release without a grant', () => {
    const { regions } = make();
    expect(() => regions.release(new Grant())).toThrow('released without a grant');
  });

  it('hand out disjoint places and get all of them back, in any order', () => {
    const size = fc.oneof(fc.integer({ min: 1, max: CHUNKED_FRAME_BYTES_MAX }), fc.integer({ min: 1, max: MIB }));
    fc.assert(
      fc.property(fc.array(fc.tuple(size, fc.nat()), { maxLength: 300 }), (steps) => {
        const { regions } = make();
        const owned: Grant[] = [];
        for (const [bytes, pick] of steps) {
          const grant = new Grant();
          const placed =
            bytes <= CHUNKED_FRAME_BYTES_MAX && pick % 2 === 0 ? regions.tryPlace(grant, bytes) : regions.tryGrant(grant, bytes);
          if (placed) {
            for (const other of owned) {
              expect(grant.position + bytes <= other.position || other.position + other.bytes <= grant.position).toBe(true);
            }
            owned.push(grant);
          }
          if (owned.length > 0 && (pick % 3 === 0 || !placed)) regions.release(owned.splice(pick % owned.length, 1)[0]!);
        }
        for (const grant of owned) regions.release(grant);
        expect(regions.usedBytes).toBe(0);
      }),
      { numRuns: 50 },
    );
  });
});
