import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL_APIS } from '../../src/protocol/apis/all.ts';
import { parseRange } from '../../src/protocol/plan.ts';
import { ALL_STORED } from '../../src/protocol/stored/all.ts';
import { ownVectors, type Vector } from '../golden/vectors.ts';
import { CODECS, javaBatch } from '../support/java-batches.ts';
import * as targets from './targets.ts';

const withHex = (prefix: readonly number[], hex: string): Buffer => Buffer.concat([Buffer.from(prefix), Buffer.from(hex, 'hex')]);

/** Valid inputs per target: damage near valid bytes reaches deeper than noise. */
const seeds: Record<keyof typeof targets, Buffer[]> = {
  request: messageSeeds('request'),
  response: messageSeeds('response'),
  stored: ownVectors
    .filter(({ kind }) => kind === 'key' || kind === 'value')
    .map((vector) => withHex([ALL_STORED.findIndex(({ name }) => name === vector.api), vector.version], vector.hex.slice(4))),
  requestHeader: ownVectors
    .filter(({ kind, of }) => kind === 'frame' && of === 'request')
    .map(({ hex }) => Buffer.from(hex, 'hex').subarray(4)),
  produceView: viewSeeds(0),
  fetchView: viewSeeds(1),
  records: ownVectors.filter(({ kind }) => kind === 'batch').map(({ hex }) => Buffer.from(hex, 'hex')),
  recordWalk: ownVectors.filter(({ kind }) => kind === 'batch').map(({ hex }) => Buffer.from(hex, 'hex')),
  compressed: [
    ...CODECS.map(([codec, number]) => Buffer.concat([Buffer.from([number - 1]), javaBatch(codec).subarray(61)])),
    // Short ones: snappy with a copy, lz4 with a match, zstd with a repeated byte.
    ...['010900611e0100', '0204224d186040820a0000001561010050626364656600000000', '0328b52ffd00580b000061'].map((hex) =>
      Buffer.from(hex, 'hex'),
    ),
  ],
};

function messageSeeds(kind: Vector['kind']): Buffer[] {
  return ownVectors
    .filter((vector) => vector.kind === kind)
    .map((vector) => {
      const index = ALL_APIS.findIndex(({ key }) => key === vector.key);
      return withHex([index, vector.version - parseRange(ALL_APIS[index]!.request.versions).min], vector.hex);
    });
}

function viewSeeds(key: number): Buffer[] {
  return ownVectors.filter((vector) => vector.kind === 'request' && vector.key === key).map(({ version, hex }) => withHex([version], hex));
}

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
  const inputs = seeds[name as keyof typeof targets];

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
