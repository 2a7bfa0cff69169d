/** Entry of a shard worker: builds a shard from its data, which may come later than its start, and runs its duty cycle until main asks it to stop. */
import { CountingDisk } from '../log/counting-disk.ts';
import { beginLateShard } from '../log/generation.ts';
import { Journal } from '../log/journal.ts';
import type { FromShard, ToShard } from '../log/messages.ts';
import { NodeDisk, trySync } from '../log/node-disk.ts';
import { timedDisk } from '../log/timed-disk.ts';
import { PortControl } from '../ring/control.ts';
import { DoorbellRinger } from '../ring/doorbell.ts';
import { threadData } from '../ring/early-thread.ts';
import { OperationCounter } from '../ring/operation-counter.ts';
import { JobResults } from '../ring/job-results.ts';
import { IdleStrategy } from '../ring/idle.ts';
import { Nap, RingConsumer, RingProducer } from '../ring/ring.ts';
import { SyncCrewBoss } from '../ring/sync-crew.ts';
import { ShardMetrics } from './metrics.ts';
import { Shard, Worked } from './shard.ts';
import type { ShardWorkerData } from './settings.ts';

/** An idle shard looks this often whether a checkpoint is due or a job is done; work wakes it at once. */
const IDLE_SLEEP_MS = 100;
/** With a job under way its outcome is looked for this often. */
const JOB_SLEEP_MS = 5;
/** Levels are shown this often at most. */
const SHOW_INTERVAL_MS = 250;

run(await threadData<ShardWorkerData>());

function run(data: ShardWorkerData): void {
  const crew = new SyncCrewBoss(data.crew, trySync);
  const metrics = new ShardMetrics(data.metrics);
  const plainDisk = data.crashPoint === null ? new NodeDisk((fds) => crew.run(fds)) : countingDisk(data.crashPoint);
  const disk = timedDisk(plainDisk, (ms) => metrics.onFlushTime(ms));
  const { begins } = data;
  const submissions = new RingConsumer(data.submissions);
  const doorbell = new DoorbellRinger(data.doorbell);
  const nap = new Nap();
  const control = new PortControl<FromShard, ToShard>(data.control);
  const journal = new Journal(disk, data.folder);
  const shard = new Shard(data.settings, data.folder, data.generation, {
    disk,
    submissions,
    completions: new RingProducer(data.completions),
    control,
    jobResults: new JobResults(data.jobResults),
    slab: Buffer.from(data.slab),
    journal,
    metrics,
    begins: begins === null ? null : () => beginLateShard(disk, data.settings.dataFolder, begins.generation, begins.shard),
    ring: () => doorbell.ring(),
    waitForMain: () => {
      doorbell.ring();
      nap.sleep(1);
    },
  });

  const cannotBegin = shard.failure ?? shard.checkpointer.refusal;
  if (data.mustBegin && cannotBegin !== null) throw new Error(cannotBegin);

  const idle = new IdleStrategy(submissions, data.settings.spinUs);
  let shownAtMs = 0;
  while (!shard.stopped) {
    const nowMs = Date.now();
    const beganMs = performance.now();
    const outcome = shard.doWork(nowMs);
    if (outcome === Worked.something) metrics.onGroupTime(performance.now() - beganMs);
    if (nowMs - shownAtMs >= SHOW_INTERVAL_MS || nowMs < shownAtMs) {
      shownAtMs = nowMs;
      metrics.show(shard, journal);
    }
    if (outcome === Worked.stalled) nap.sleep(1);
    else if (outcome === Worked.nothing) idle.wait(shard.checkpointer.waiting ? JOB_SLEEP_MS : IDLE_SLEEP_MS);
  }
  journal.close();
  control.close();
}

function countingDisk(crashPoint: NonNullable<ShardWorkerData['crashPoint']>): CountingDisk {
  const counter = new OperationCounter(crashPoint.counter);
  return new CountingDisk(new NodeDisk(), () => counter.next(), crashPoint.at);
}
