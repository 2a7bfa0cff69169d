/** How main hears of the end of its shards. The workers are real threads that say what a shard would say. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts';
import { KeeperPool, type JobRunner } from '../../../src/main/keeper-pool.ts';
import { JobStatus } from '../../../src/log/messages.ts';
import { ShardSupervisor } from '../../../src/main/shard-supervisor.ts';
import { COMPLETION_WORDS, CompletionKind } from '../../../src/ring/completion.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { until } from '../../support/wire-client.ts';

/** Far more than the end of a thread takes. */
const STOP_MS_MAX = 60_000;

/** How a shard speaks: `say` puts a message into its completion ring; main looks there when the bell is rung, or when the thread has ended. */
const VOICE = `
  import { workerData } from 'node:worker_threads';
  const { submissions, completions, control, doorbell, jobResults } = workerData;
  const [HEAD, SLOTS] = [0, 48];
  Atomics.wait(new Int32Array(submissions.buffer), HEAD, 0);
  const words = new Int32Array(completions.buffer);
  let said = 0;
  function say(message) {
    control.postMessage(message);
    words[SLOTS + said * ${COMPLETION_WORDS}] = ${CompletionKind.control};
    Atomics.store(words, HEAD, ++said);
  }
  function ring() {
    const bell = new Int32Array(doorbell);
    Atomics.add(bell, 0, 1);
    Atomics.notify(bell, 0);
  }
`;

/** A shard that waits for its first control message, says this without ringing the bell, and ends. */
const speaker = (says: object): string => `${VOICE} say(${JSON.stringify(says)});`;

/** A shard that asks for a job of this kind, waits until it has its status in `word` of the results, and fails with it for a reason. */
const asker = (kind: string, word: number): string => `${VOICE}
  say({ kind: 'job', job: 1, work: { kind: '${kind}' } });
  ring();
  const results = new Int32Array(jobResults);
  Atomics.store(results, 15, 0);
  while (Atomics.load(results, ${word}) !== 1) Atomics.wait(results, 15, 0, 1);
  say({ kind: 'failed', reason: 'status ' + results[${word} + 1] });
`;

let folder = '';
let bench: IngressBench;
afterEach(() => {
  bench.stop();
  rmSync(folder, { recursive: true, force: true });
});

const noJobs = (): Promise<JobRunner> => Promise.reject(new Error('no jobs here'));

/** A supervisor of one shard with this source, started. `heard`: what it reports, in order. */
async function supervise(
  source: string,
  startJobs = noJobs,
  set: readonly string[] = [],
): Promise<{ supervisor: ShardSupervisor; heard: string[] }> {
  folder = mkdtempSync(join(tmpdir(), 'ringlog-supervisor-'));
  writeFileSync(join(folder, 'shard.mjs'), source);
  bench = await IngressBench.start();
  const heard: string[] = [];
  const supervisor = new ShardSupervisor({
    config: resolveBrokerConfig({ dataDir: folder, set }),
    generation: {
      name: '00000000000000aa',
      number: 0xaan,
      folders: new Map([['sync-0', folder]]),
      recovered: { clean: true, partitions: new Map(), notes: [], replayedGroups: 0, rewrittenBytes: 0 },
    },
    crashPoint: null,
    openFilesMax: () => Infinity,
    ingress: bench.ingress,
    jobs: new KeeperPool(startJobs, (what, error) => heard.push(`${what}: ${String(error)}`)),
    onPartitionControl: () => false,
    onFailed: (shard, reason) => heard.push(`failed ${shard}: ${reason}`),
    onRefusing: (shard, reason) => heard.push(`refusing ${shard}: ${reason}`),
    onUnsecured: (shard, ranges) => heard.push(`unsecured ${shard}: ${ranges.length}`),
    ...(set.length === 0 ? {} : { onStarted: (shard: string) => void heard.push(`started ${shard}`) }),
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

describe('a class of shards', () => {
  it('is started whole when it is asked for, each shard once', async () => {
    const { supervisor, heard } = await supervise('setInterval(() => {}, 1000)', noJobs, ['ringlog.shards.sync=3']);
    supervisor.startClass('sync');
    supervisor.startClass('sync');
    expect(heard).toEqual(['started sync-0', 'started sync-1', 'started sync-2']);
    await supervisor.stop(10);
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

describe('a job of a shard', () => {
  const failing: JobRunner = { run: () => Promise.reject(new Error('the thread died')), close: () => Promise.resolve() };
  it.each([
    ['checkpoint', 0, 'could not be started, is not done', noJobs, JobStatus.notDone, 'Error: the job threads could not be started'],
    ['prepareJournal', 2, 'could not be started, is not done', noJobs, JobStatus.notDone, 'Error: the job threads could not be started'],
    ['checkpoint', 0, 'was given a job, has failed', () => Promise.resolve(failing), JobStatus.failed, 'Error: the thread died'],
  ])('%s (results from word %i) whose thread %s', async (kind, word, _what, startJobs, status, error) => {
    const { supervisor, heard } = await supervise(asker(kind, word), startJobs);
    void supervisor.begin();
    await until(() => heard.length === 3, 'all is heard');
    expect(heard).toEqual([`${kind} of shard sync-0: ${error}`, `failed sync-0: status ${status}`, 'died sync-0: exited with code 0']);
    await supervisor.stop(STOP_MS_MAX);
  });
});
