/** All targets by name. */
import type { FuzzTarget } from './fuzzer.ts';
import { decodePlanted } from './planted.ts';
import { GROUP_TARGETS } from './group-targets.ts';
import { protocolSeeds } from './seeds.ts';
import { STORAGE_TARGETS } from './storage-targets.ts';
import { STREAM_TARGETS } from './stream-targets.ts';
import * as protocol from './targets.ts';

const protocolTargets = Object.entries(protocol).map(([name, run]): [string, FuzzTarget] => [
  name,
  { run, seeds: () => protocolSeeds[name as keyof typeof protocol] },
]);

export const TARGETS: ReadonlyMap<string, FuzzTarget> = new Map([
  ...protocolTargets,
  ...Object.entries({ ...STREAM_TARGETS, ...STORAGE_TARGETS, ...GROUP_TARGETS }),
]);

/** Not among the targets: it fails, on purpose. */
export const PLANTED: FuzzTarget = { run: decodePlanted, seeds: () => [Buffer.alloc(8)] };
