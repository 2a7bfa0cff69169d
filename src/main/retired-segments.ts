/**
 * Segments that left their logs, on the way to a next owner. Their files are given away once both are true:
 * - nobody reads them: no read is in flight and main's descriptor is closed, so no reader ever sees what a next owner writes;
 * - their shard has released them: nothing durable names them, so no recovery ever looks for old records in them.
 *
 * If the broker dies before, the next start finds the files below their log starts and gives them away then. Main only.
 */
import { segmentName, segmentPath } from '../log/layout.ts';
import type { RetiredSegment } from '../log/messages.ts';
import type { PartitionState } from '../log/partition-state.ts';
import { POOL_SEGMENT_BYTES_MIN } from '../log/pool.ts';
import type { KeptSegments } from '../log/retire.ts';
import type { Job } from '../jobs/job.ts';
import type { KeeperPool } from './keeper-pool.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { SegmentView } from './segment-view.ts';

/** Partitions looked through by one job at start. */
const PARTITIONS_PER_JOB = 200;

interface Retired {
  readonly topicId: string;
  readonly path: string;
  readonly indexPath: string;
  /** Smaller files would fit no next segment of this topic. */
  readonly poolBytesMin: number;
  isRead: boolean;
  isReleased: boolean;
  /** The topic is deleted: its removal takes the file. */
  isAbandoned: boolean;
}

/** See the file header. */
export class RetiredSegments {
  private readonly reader: SegmentReader;
  private readonly jobs: KeeperPool;
  private readonly dataDir: string;
  private readonly poolBytesMax: number;
  /** By path. */
  private readonly waiting = new Map<string, Retired>();
  private ready: Retired[] = [];
  private onLeftoversGiven: () => void = () => undefined;
  /** Resolves when {@link giveAwayLeftovers} has come to its end. */
  readonly leftoversGiven = new Promise<void>((resolve) => (this.onLeftoversGiven = resolve));
  /** Files of a topic that are read, and jobs that work on its files, by topic id; none: no entry. */
  private readonly holds = new Map<string, number>();
  private readonly whenFree = new Map<string, (() => void)[]>();

  constructor(reader: SegmentReader, jobs: KeeperPool, dataDir: string, poolBytesMax: number) {
    this.reader = reader;
    this.jobs = jobs;
    this.dataDir = dataDir;
    this.poolBytesMax = poolBytesMax;
  }

  /** The view of a partition has dropped these segments. */
  onRetired(view: PartitionView, segments: readonly SegmentView[]): void {
    for (const segment of segments) {
      const retired: Retired = {
        topicId: view.topic.id,
        path: this.reader.pathOf(view, segment, 'log'),
        indexPath: this.reader.pathOf(view, segment, 'index'),
        poolBytesMin: Math.max(POOL_SEGMENT_BYTES_MIN, Math.ceil(view.topic.config.segmentBytes / 2)),
        isRead: true,
        isReleased: false,
        isAbandoned: false,
      };
      this.waiting.set(retired.path, retired);
      this.hold(retired.topicId);
      this.reader.retire(segment, () => {
        retired.isRead = false;
        this.maybeReady(retired);
        this.release(retired.topicId);
      });
    }
  }

  /** A shard says that nothing durable names these segments any more. */
  onReleased(segments: readonly RetiredSegment[]): void {
    for (const { topicId, partition, baseOffset, revision } of segments) {
      const retired = this.waiting.get(segmentPath(this.dataDir, topicId, partition, baseOffset, revision));
      // Nobody: its topic is deleted, and the files are its removal's.
      if (retired === undefined) continue;
      retired.isReleased = true;
      this.maybeReady(retired);
    }
  }

  /** The topic is deleted and its views are gone: resolves once nobody reads a file of it that had left its logs before, and no job works on one. */
  async abandon(topicId: string): Promise<void> {
    for (const [path, retired] of this.waiting) {
      if (retired.topicId !== topicId) continue;
      retired.isAbandoned = true;
      this.waiting.delete(path);
    }
    if (!this.holds.has(topicId)) return;
    await new Promise<void>((resolve) => {
      const callbacks = this.whenFree.get(topicId);
      if (callbacks === undefined) this.whenFree.set(topicId, [resolve]);
      else callbacks.push(resolve);
    });
  }

  /** What a log that was recovered may have left behind; undefined when its start never moved and it was not compacted, nor was about to be. */
  static leftoversOf(state: PartitionState, isCompacted = false): KeptSegments | undefined {
    const { topicId, partition, segments, cleanedEnd } = state;
    if (state.logStartOffset === 0 && cleanedEnd === undefined && !isCompacted) return undefined;
    const firstOffset = segments[0]?.baseOffset ?? state.endOffset;
    const names = segments.map(({ baseOffset, revision }) => segmentName(baseOffset, revision));
    return { topicId, partition, firstOffset, cleanedEnd: cleanedEnd ?? 0, names };
  }

  /** A job works on files of a topic until the function that is returned was called: they do not go away before. */
  beginJob(topicId: string): () => void {
    this.hold(topicId);
    return () => this.release(topicId);
  }

  /** At start: gives away what an earlier life could not. `leftovers` is of the recovered states: what leaves a log in this life is none. */
  giveAwayLeftovers(leftovers: readonly KeptSegments[]): void {
    const jobs: Promise<void>[] = [];
    for (let at = 0; at < leftovers.length; at += PARTITIONS_PER_JOB) {
      const partitions = leftovers.slice(at, at + PARTITIONS_PER_JOB);
      const topicIds = partitions.map(({ topicId }) => topicId);
      jobs.push(this.run(topicIds, { kind: 'retireLeftovers', dataFolder: this.dataDir, partitions, poolBytesMax: this.poolBytesMax }));
    }
    void Promise.all(jobs).then(this.onLeftoversGiven);
  }

  private maybeReady(retired: Retired): void {
    if (retired.isRead || !retired.isReleased || retired.isAbandoned) return;
    this.waiting.delete(retired.path);
    // What becomes ready together goes with one job: each costs syncs of the folders.
    if (this.ready.length === 0) queueMicrotask(() => this.giveAway());
    this.hold(retired.topicId);
    this.ready.push(retired);
  }

  private giveAway(): void {
    const { ready } = this;
    this.ready = [];
    const sizes = new Set(ready.map(({ poolBytesMin }) => poolBytesMin));
    for (const poolBytesMin of sizes) {
      const group = ready.filter((retired) => retired.poolBytesMin === poolBytesMin);
      void this.run(
        group.map(({ topicId }) => topicId),
        {
          kind: 'retireSegments',
          dataFolder: this.dataDir,
          paths: group.map(({ path }) => path),
          indexPaths: group.map(({ indexPath }) => indexPath),
          poolBytesMin,
          poolBytesMax: this.poolBytesMax,
        },
      );
    }
    for (const { topicId } of ready) this.release(topicId);
  }

  private run(topicIds: readonly string[], job: Job): Promise<void> {
    for (const topicId of topicIds) this.hold(topicId);
    return this.jobs
      .submit(job)
      .then(() => undefined)
      .catch((error: unknown) => this.jobs.onFailure('retiring segments (the next start tries again)', error))
      .finally(() => {
        for (const topicId of topicIds) this.release(topicId);
      });
  }

  private hold(topicId: string): void {
    this.holds.set(topicId, (this.holds.get(topicId) ?? 0) + 1);
  }

  private release(topicId: string): void {
    const left = (this.holds.get(topicId) as number) - 1;
    if (left > 0) {
      this.holds.set(topicId, left);
      return;
    }
    this.holds.delete(topicId);
    const callbacks = this.whenFree.get(topicId);
    this.whenFree.delete(topicId);
    if (callbacks !== undefined) for (const callback of callbacks) callback();
  }
}
