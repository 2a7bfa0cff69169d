/** Valid inputs of the protocol's decoders, made from the golden vectors. */
import { ALL_APIS } from '../../src/protocol/apis/all.ts';
import { parseRange } from '../../src/protocol/plan.ts';
import { ALL_STORED } from '../../src/protocol/stored/all.ts';
import { ownVectors, type Vector } from '../golden/vectors.ts';
import { CODECS, javaBatch } from '../support/java-batches.ts';
import type * as targets from './targets.ts';

const withHex = (prefix: readonly number[], hex: string): Buffer => Buffer.concat([Buffer.from(prefix), Buffer.from(hex, 'hex')]);

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

function batchSeeds(): Buffer[] {
  return ownVectors.filter(({ kind }) => kind === 'batch').map(({ hex }) => Buffer.from(hex, 'hex'));
}

/** By target. */
export const protocolSeeds: Record<keyof typeof targets, Buffer[]> = {
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
  records: batchSeeds(),
  recordWalk: batchSeeds(),
  compressed: [
    ...CODECS.map(([codec, number]) => Buffer.concat([Buffer.from([number - 1]), javaBatch(codec).subarray(61)])),
    // Short ones: snappy with a copy, lz4 with a match, zstd with a repeated byte.
    ...['010900611e0100', '0204224d186040820a0000001561010050626364656600000000', '0328b52ffd00580b000061'].map((hex) =>
      Buffer.from(hex, 'hex'),
    ),
  ],
};
