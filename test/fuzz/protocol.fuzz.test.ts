import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { protocolSeeds } from './seeds.ts';
import * as targets from './targets.ts';

/** Changes, cuts and doubles pieces of a valid input. */
const damaged = (inputs: readonly Buffer[]): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      fc.constantFrom(...inputs),
      fc.array(fc.tuple(fc.nat(), fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255))), { maxLength: 6 }),
      fc.option(fc.nat(), { freq: 2 }),
      fc.option(fc.tuple(fc.nat(), fc.nat(40)), { freq: 2 }),
    )
    .map(([input, changes, cut, twice]) => {
      let bytes = Buffer.from(input);
      for (const [place, value] of changes) if (bytes.length > 0) bytes[place % bytes.length] = value;
      if (cut !== null) bytes = bytes.subarray(0, cut % (bytes.length + 1));
      if (twice !== null && bytes.length > 0) {
        const at = twice[0] % bytes.length;
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at, at + twice[1]), bytes.subarray(at)]);
      }
      return bytes;
    });

const WORK_US_MAX = 2_000_000;

describe.each(Object.entries(targets))('the decoder of %s', (name, target) => {
  const inputs = protocolSeeds[name as keyof typeof targets];

  it('takes every valid input', () => {
    expect(inputs.length).toBeGreaterThan(5);
    for (const input of inputs) expect(() => target(input)).not.toThrow();
  });

  it('survives damaged and random bytes, with little work', () => {
    const property = fc.property(
      fc.oneof(
        { weight: 9, arbitrary: damaged(inputs) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
      ),
      (bytes) => {
        const before = process.cpuUsage();
        target(bytes);
        // Time of the processor, not of the clock, which runs on while others have the machine. Far above what a decoder needs, far below what a loop
        // over a false count would take.
        const { user, system } = process.cpuUsage(before);
        expect(user + system).toBeLessThan(WORK_US_MAX);
      },
    );
    fc.assert(property, { numRuns: 2000 });
  });
});
