/**
 * Tells when the process that started us is gone. Under npm that is two generations: npm starts a shell, and the shell starts us. If npm is
 * killed, the shell may live on, waiting for us, so the parent's parent is watched as well.
 */

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

const POLL_MS = 500;

/** Calls `onGone` once, when process `parent`, which started us, is gone; also when it was so before this is called. Does not keep the process alive. */
export function watchParent(parent: number, onGone: () => void): void {
  poll(() => Promise.resolve(process.ppid === parent), onGone);
}

/** Calls `onGone` once, when parent or grandparent is gone. Does not keep the process alive. */
export function watchParents(onGone: () => void): void {
  const parent = process.ppid;
  let grandparent: number | undefined;
  void parentOf(parent).then(
    (pid) => (grandparent = pid),
    () => undefined, // then only the parent is watched
  );
  poll(async () => process.ppid === parent && (grandparent === undefined || (await isChildOf(parent, grandparent))), onGone);
}

/** Asks again and again until it is told no, and then calls `onGone` once. */
function poll(isThere: () => Promise<boolean>, onGone: () => void): void {
  let isOver = false;
  const check = async (): Promise<void> => {
    if ((await isThere()) || isOver) return;
    isOver = true;
    clearInterval(timer);
    onGone();
  };
  const timer = setInterval(() => void check(), POLL_MS).unref();
}

/**
 * Whether `pid` still is a child of `parent`. A process that has ended keeps its number until whoever started it asks for its outcome, which may be never
 * (who waits for the end of our output waits for us), but its children have another parent at once.
 */
async function isChildOf(pid: number, parent: number): Promise<boolean> {
  if (process.platform !== 'linux') return isAlive(parent);
  try {
    return (await parentOf(pid)) === parent;
  } catch (error) {
    // Not to know (no descriptor is free, say) is no reason to stop.
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}

/** The parent of process `pid`; undefined when there is none to watch (it is process 1, or not to be found out here). */
async function parentOf(pid: number): Promise<number | undefined> {
  const found = Number(process.platform === 'linux' ? await parentFromProc(pid) : await parentFromPs(pid));
  return Number.isSafeInteger(found) && found > 1 ? found : undefined;
}

/** `/proc/<pid>/stat` is `pid (name) state ppid …`; the name may hold anything, also brackets. */
async function parentFromProc(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
}

function parentFromPs(pid: number): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile('ps', ['-o', 'ppid=', '-p', String(pid)], (error, stdout) => (error === null ? resolve(stdout.trim()) : reject(error)));
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // alive, and somebody else's
  }
}
