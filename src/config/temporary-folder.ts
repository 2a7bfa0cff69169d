/**
 * Folders that must not outlive this process: removed when their owner is done, and at the end of the process, if it comes by itself or by `process.exit`.
 * A signal that nobody handles ends a process without a word, and leaves them to whoever cleans the system's temporary folder.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Threads that are about to end may still make a file. */
const TRIES = 5;

/** What is to be removed at the end of the process: state of the process, like its end. One listener serves all, and none is left when it has nothing to do. */
const folders = new Set<string>();

function removeAll(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: TRIES });
}

/** Makes an empty folder in the system's temporary folder. */
export function makeTemporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'ringlog-'));
  if (folders.size === 0) process.on('exit', removeAll);
  folders.add(folder);
  return folder;
}

/** Removes it with all that is in it. */
export async function removeTemporaryFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: TRIES });
  folders.delete(folder);
  if (folders.size === 0) process.off('exit', removeAll);
}
