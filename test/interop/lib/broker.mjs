/** The broker under test: `dist/`, its own process, its own data folder. Or Apache Kafka in its place, which shows whether a check itself is right. */

import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../../perf/lib/servers.mjs';
import { stopProcess, waitForPort } from '../../../perf/lib/process.mjs';
import { startKafka } from '../../../perf/peers/kafka.mjs';
import { root } from './places.mjs';

const STOP_MS_MAX = 120_000;

export class RinglogBroker {
  name = 'ringlog';

  /** @param {{ folder: string, settings?: string[] }} options settings: `key=value` */
  static async start({ folder, settings = [] }) {
    mkdirSync(folder, { recursive: true });
    const broker = new RinglogBroker(folder, await freePort(), settings);
    await broker.up();
    return broker;
  }

  constructor(folder, port, settings) {
    this.folder = folder;
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.settings = settings;
    this.logPath = join(folder, 'broker.log');
  }

  async up() {
    const args = [
      join(root, 'dist', 'bin.js'),
      'start',
      '--port',
      String(this.port),
      '--data-dir',
      join(this.folder, 'data'),
      '--http-port',
      '-1',
    ];
    // Checks send records with times of long ago: they must not go for their age.
    const quick = ['log.retention.check.interval.ms=500', 'log.cleaner.backoff.ms=500'];
    for (const setting of ['log.retention.ms=-1', ...quick, ...this.settings]) args.push('--set', setting);
    const log = openSync(this.logPath, 'a');
    this.child = spawn(process.execPath, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    await waitForPort(this.port, { child: this.child, logPath: this.logPath });
  }

  /** SIGTERM, and up again on the same port and data. */
  async restart() {
    await this.stop();
    await this.up();
  }

  /** Throws unless it stopped by itself, in time, with exit code 0. */
  async stop() {
    const { code, signal, killed } = await stopProcess(this.child, { timeoutMs: STOP_MS_MAX });
    if (killed || code !== 0)
      throw new Error(
        `the broker did not stop cleanly: ${killed ? `killed after ${STOP_MS_MAX} ms` : (code ?? signal)}\n${this.log.slice(-4000)}`,
      );
  }

  get log() {
    return readFileSync(this.logPath, 'utf8');
  }

  /** Lines of the log from warnings up: what a broker that is only used as meant never writes. */
  get complaints() {
    return this.log.split('\n').filter((line) => /"level":(40|50|60)\b|"level":"(warn|error|fatal)"|ringlog failed/.test(line));
  }
}

/** Apache Kafka with the same shape. */
export async function startPeerKafka({ folder }) {
  const port = await freePort();
  const kafka = await startKafka({ port, dataDir: folder, settings: ['log.cleaner.backoff.ms=500'] });
  return { name: kafka.name, address: `127.0.0.1:${port}`, port, complaints: [], log: '', restart: undefined, stop: () => kafka.stop() };
}
