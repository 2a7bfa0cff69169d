// Two measurements at once measure each other: one lock for the whole machine, held by process id.
import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const path = join(tmpdir(), 'ringlog-perf.lock');

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Takes the lock until the process exits, or throws naming its holder. A dead holder's lock is taken over. */
export function takeLock() {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = openSync(path, 'wx');
      writeSync(file, String(process.pid));
      closeSync(file);
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
