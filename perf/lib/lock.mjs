// Two measurements at once measure each other: one lock for the whole machine, held by process id.
import { existsSync, linkSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// One for the machine, whatever TMPDIR says.
const path = join(existsSync('/tmp') ? '/tmp' : tmpdir(), 'ringlog-perf.lock');
let isHeld = false;

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the lock until the process exits, or throws naming its holder. A dead holder's lock is taken over. Taken twice by a process it is one. */
export function takeLock() {
  if (isHeld) return;
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      takeOnce();
      isHeld = true;
      process.on('exit', () => unlinkSync(path));
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const holder = Number(readFileSync(path, 'utf8'));
      if (holder && isAlive(holder)) throw new Error(`another measurement is running (process ${holder}, ${path})`);
      unlinkSync(path);
    }
  }
  throw new Error(`cannot take ${path}`);
}

/** Throws EEXIST if there is one. It appears with its holder's number in it: nobody ever reads one that is still empty. */
function takeOnce() {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, path);
  } finally {
    unlinkSync(own);
  }
}
