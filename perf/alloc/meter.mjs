// A broker with probe.mjs in its threads, and questions to it. Its young generation is large, so that few collections fall into what is measured.
import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stopProcess, track, waitForPort } from '../lib/process.mjs';
import { freePort } from '../lib/servers.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const YOUNG_MIB = 64;

export class Meter {
  /** @param {string} built `dist`, as it is shipped, or `build`, whose files are the modules: sites have names there */
  static async start(dir, built = 'dist') {
    mkdirSync(dir, { recursive: true });
    const port = await freePort();
    const logPath = join(dir, 'server.log');
    const log = openSync(logPath, 'a');
    const young = [`--min-semi-space-size=${YOUNG_MIB}`, `--max-semi-space-size=${YOUNG_MIB}`];
    const broker = [join(here, '..', '..', built, 'bin.js'), 'start', '--port', String(port), '--data-dir', join(dir, 'data')];
    const child = spawn(process.execPath, [...young, '--import', join(here, 'probe.mjs'), ...broker], {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ALLOC_PROBE_DIR: dir },
    });
    track(child);
    await waitForPort(port, { child, logPath });
    return new Meter(dir, port, child);
  }

  constructor(dir, port, child) {
    this.dir = dir;
    this.port = port;
    this.child = child;
  }

  #ask(kind) {
    return new Promise((resolve, reject) => {
      const onExit = (code) => reject(new Error(`the broker ended with ${code} while it was measured: ${this.dir}/server.log`));
      this.child.once('exit', onExit);
      this.child.once('message', ({ rows }) => {
        this.child.removeListener('exit', onExit);
        resolve(rows);
      });
      this.child.send({ ask: kind });
    });
  }

  /** Throws unless so many shards answer: one that the probe does not know would pass for one that allocates nothing. */
  async expectShards(count) {
    await this.#ask('begin');
    const [, ...shards] = await this.#ask('end');
    if (shards.length !== count) throw new Error(`alloc: ${shards.length} shards answer the probe, not ${count}: perf/alloc/probe.mjs`);
  }

  /** What `work` makes the threads allocate: bytes of heap and outside of it, main's and all shards', and how long it took. */
  async during(work) {
    await this.#ask('begin');
    const beganMs = performance.now();
    const result = await work();
    const [main, ...shards] = await this.#ask('end');
    const sum = (n) => shards.reduce((total, row) => total + row[n], 0);
    return {
      result,
      seconds: (performance.now() - beganMs) / 1000,
      main: { heap: main[0], external: main[1], collections: main[2] },
      shards: { heap: sum(0), external: sum(1), collections: sum(2) },
    };
  }

  /** Sampled heap profiles, by thread. */
  async profilesOf(work) {
    await this.#ask('beginSampling');
    const result = await work();
    await this.#ask('endSampling');
    const files = readdirSync(this.dir).filter((name) => name.endsWith('.heapprofile'));
    const profiles = files.map((name) => [
      name.replace(/^\d+-|\.heapprofile$/g, ''),
      JSON.parse(readFileSync(join(this.dir, name), 'utf8')),
    ]);
    return { result, profiles };
  }

  stop() {
    return stopProcess(this.child);
  }
}
