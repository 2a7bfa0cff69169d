/** How main hears of the end of its shards. The workers are real threads that say what a shard would say. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts';
import { KeeperPool } from '../../../src/main/keeper-pool.ts';
import { ShardSupervisor } from '../../../src/main/shard-supervisor.ts';
import { CompletionKind } from '../../../src/ring/completion.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { until } from '../../support/wire-client.ts';

/** Far more than the end of a thread takes. */
const STOP_MS_MAX = 60_000;

/** A shard that waits for its first control message, puts `says` into its completion ring without ringing the bell, and ends. */
const speaker = (says: object): string => `
  import { workerData } from 'node:worker_threads';
  const { submissions, completions, control } = workerData;
  const [HEAD, SLOTS] = [0, 48];
  Atomics.wait(new Int32Array(submissions.buffer), HEAD, 0);
  control.postMessage(${JSON.stringify(says)});
  const words = new Int32Array(completions.buffer);
  words[SLOTS] = ${CompletionKind.control};
  Atomics.store(words, HEAD, 1);
`;

let folder = '';
let bench: IngressBench;
afterEach(() => {
  bench.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A supervisor of one shard with this source, started. `heard`: what it reports, in order. */
async function supervise(source: string): Promise<{ supervisor: ShardSupervisor; heard: string[] }> {
  folder = mkdtempSync(join(tmpdir(), 'ringlog-supervisor-'));
  writeFileSync(join(folder, 'shard.mjs'), source);
  bench = await IngressBench.start();
  const heard: string[] = [];
  const noJobs = new KeeperPool(
    () => Promise.reject(new Error('no jobs here')),
    () => undefined,
  );
  const supervisor = new ShardSupervisor({
    config: resolveBrokerConfig({ dataDir: folder }),
    generation: {
      name: '00000000000000aa',
      number: 0xaan,
      folders: new Map([['sync-0', folder]]),
      recovered: { clean: true, partitions: new Map(), notes: [], replayedGroups: 0, rewrittenBytes: 0 },
    },
    crashPoint: null,
    openFilesMax: () => Infinity,
    ingress: bench.ingress,
    jobs: noJobs,
    onPartitionControl: () => false,
    onFailed: (shard, reason) => heard.push(`failed ${shard}: ${reason}`),
    onUnsecured: (shard, ranges) => heard.push(`unsecured ${shard}: ${ranges.length}`),
    onDeath: (shard, reason) => heard.push(`died ${shard}: ${reason}`),
    entry: pathToFileURL(join(folder, 'shard.mjs')),
  });
  supervisor.startRecovered();
  return { supervisor, heard };
}

describe('a stop', () => {
  it('is clean when the end of a thread reaches main before the word that it stopped cleanly', async () => {
    const { supervisor, heard } = await supervise(speaker({ kind: 'stopped', error: null }));
    expect(await supervisor.stop(STOP_MS_MAX)).toEqual([]);
    expect(heard).toEqual([]);
  });

  it.each([
    ['says why not', speaker({ kind: 'stopped', error: 'the disk' }), 'sync-0: the disk'],
    ['ends without a word', '1', 'sync-0: exited with code 0'],
  ])('is not clean, and says why, when a shard %s', async (_what, source, reason) => {
    const { supervisor } = await supervise(source);
    expect(await supervisor.stop(STOP_MS_MAX)).toEqual([reason]);
  });

  it('is not clean when a shard never answers', async () => {
    const { supervisor } = await supervise('setInterval(() => {}, 1000)');
    expect(await supervisor.stop(10)).toEqual(['sync-0: not done within 10 ms']);
  });
});

describe('a death', () => {
  it('is reported behind what the shard said before it', async () => {
    const { supervisor, heard } = await supervise(speaker({ kind: 'failed', reason: 'the disk' }));
    void supervisor.begin();
    await until(() => heard.length === 2, 'both are heard');
    expect(heard).toEqual(['failed sync-0: the disk', 'died sync-0: exited with code 0']);
    await supervisor.stop(STOP_MS_MAX);
  });
});
