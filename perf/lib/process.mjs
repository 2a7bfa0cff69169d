// Starting, waiting for and stopping the processes that are measured. Nothing is left behind: whoever is still running
// when the harness ends, in whatever way, is killed.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** @param {import('node:child_process').ChildProcess} child */
export function track(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** @param {import('node:child_process').ChildProcess} child */
export const hasExited = (child) => child.exitCode !== null || child.signalCode !== null;

function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

/** The last lines of a server's log, for an error message. */
export function tailOf(path) {
  try {
    return readFileSync(path, 'utf8').split('\n').slice(-20).join('\n');
  } catch {
    return '(no log)';
  }
}

/** Resolves once the port accepts; rejects, with the end of the log, if the process dies or takes too long. */
export async function waitForPort(port, { child, timeoutMs = 120_000, logPath, pollMs = 50 }) {
  track(child);
  const until = performance.now() + timeoutMs;
  while (!(await canConnect(port))) {
    const late = performance.now() > until;
    if (late) child.kill('SIGKILL');
    if (late || hasExited(child)) {
      const reason = late
        ? `not listening on port ${port} after ${timeoutMs / 1000} s`
        : `exited with ${child.exitCode ?? child.signalCode}`;
      throw new Error(`${child.spawnfile}: ${reason}\n${logPath ? tailOf(logPath) : ''}`);
    }
    await sleep(pollMs);
  }
}

/** SIGTERM, then SIGKILL if it does not end. Resolves to how it ended. */
export async function stopProcess(child, { timeoutMs = 30_000, signal = 'SIGTERM' } = {}) {
  if (hasExited(child)) return { code: child.exitCode, signal: child.signalCode, killed: false };
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  let killed = false;
  const timer = setTimeout(() => {
    killed = true;
    child.kill('SIGKILL');
  }, timeoutMs);
  await ended;
  clearTimeout(timer);
  return { code: child.exitCode, signal: child.signalCode, killed };
}
