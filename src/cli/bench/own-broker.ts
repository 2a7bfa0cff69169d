/** A broker for one run of the bench: a process of its own, as a real one is, with its data in a folder that is gone afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../lib/user-error.ts';
import { BIN } from '../bin-path.ts';
import type { Terminal } from '../terminal.ts';

export interface OwnBroker {
  /** `host:port`. */
  readonly bootstrap: string;
  readonly folder: string;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts one, with its data in a new folder in `parent`.
 * @param environment of this process; what it says about settings is for brokers that stay
 */
export async function startOwnBroker(parent: string, environment: Terminal['environment']): Promise<OwnBroker> {
  const folder = mkdtempSync(join(parent, 'ringlog-bench-'));
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  // Ctrl-C goes to the whole group of processes: this one ends the broker when it is done with it. If this one is killed, the broker ends by itself.
  const args = ['start', '--port', '0', '--http-port', '-1', '--data-dir', join(folder, 'data'), '--parent', String(process.pid)];
  const child = spawn(process.execPath, [BIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    env: Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('RINGLOG_'))),
  });
  const killAndRemove = (): void => {
    child.kill('SIGKILL');
    remove();
  };
  process.on('exit', killAndRemove);
  const ended = once(child, 'close');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-2000)));
  child.stdout.setEncoding('utf8');
  let banner = '';
  const address = new Promise<string>((resolve) => {
    child.stdout.on('data', (text: string) => {
      banner += text;
      const found = /^ {2}address {5}(\S+)/m.exec(banner)?.[1]?.replace(/,$/, '');
      if (found !== undefined) resolve(found);
    });
  });
  const bootstrap = await Promise.race([address, ended.then(() => null)]);
  if (bootstrap === null) {
    process.off('exit', killAndRemove);
    remove();
    throw new UserError(`The bench could not start its broker: ${said.trim() || 'it said nothing'}`);
  }
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    process.off('exit', killAndRemove);
    remove();
  };
  return { bootstrap, folder, stop };
}
