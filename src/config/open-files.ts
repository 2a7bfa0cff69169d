/** How many files this process may have open. Node raises its soft limit to the hard one at start. */
import { readFileSync } from 'node:fs';

/** RLIMIT_NOFILE, or Infinity where there is none or the system does not tell (only Linux does without a subprocess). */
export function openFilesMax(read: (path: string) => string = (path) => readFileSync(path, 'utf8')): number {
  let limits: string;
  try {
    limits = read('/proc/self/limits');
  } catch {
    return Infinity;
  }
  const found = /^Max open files\s+(\d+)\s/m.exec(limits);
  return found === null ? Infinity : Number(found[1]);
}

/** Connections that may be open at once: half of the descriptors stay for files, so that a crowd of clients cannot keep records from the disk. */
export function connectionsWithin(connectionsMax: number, filesMax: number): number {
  return Math.max(1, Math.min(connectionsMax, Math.floor(filesMax / 2)));
}

/** A process that may open hardly any files still gets this many segments a shard. */
const SEGMENTS_FLOOR = 16;

/** Segments that each of so many shards may keep open: with half of the descriptors for connections, an eighth is left for readers, journals and the rest. */
export function segmentsWithin(segmentsMax: number, filesMax: number, shards: number): number {
  return Math.min(segmentsMax, Math.max(SEGMENTS_FLOOR, Math.floor((filesMax * 3) / 8 / shards)));
}
