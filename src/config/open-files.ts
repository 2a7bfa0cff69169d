/** How many descriptors the operating system lets this process have, and how many of them may be connections. */
import { readFileSync } from 'node:fs';

const LIMITS = '/proc/self/limits';

/** The limit of this process, or undefined where the system does not say (or there is none). Node itself has raised it to what is allowed. */
export function openFilesMax(read: () => string = () => readFileSync(LIMITS, 'utf8')): number | undefined {
  try {
    const match = /^Max open files\s+(\d+)/m.exec(read());
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}

/** Connections that may be open at once: half of the descriptors stay for files, so that a crowd of clients cannot keep records from the disk. */
export function connectionsWithin(connectionsMax: number, filesMax: number | undefined): number {
  return filesMax === undefined ? connectionsMax : Math.max(1, Math.min(connectionsMax, Math.floor(filesMax / 2)));
}
