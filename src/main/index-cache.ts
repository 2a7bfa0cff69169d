/**
 * Indexes of segments, found wherever they are: in memory, in the `.index` file, or rebuilt by a keeper job that follows the batch headers up to the known
 * end of the segment. Indexes of rolled segments stay in memory in a bounded LRU.
 *
 * An index says where to begin, and every batch is checked where it is read: in a whole segment a wrong one costs a search. Behind damage nothing but the index
 * says which batches are this log's (see jobs/rebuild-index.ts). An index file may outlive a cut of its segment, so before a batch is called damaged its segment's
 * index is rebuilt ({@link IndexCache.getTrusted}).
 */
import { decodeIndexFile } from '../log/index-file.ts';
import type { KeeperPool } from './keeper-pool.ts';
import type { PartitionView } from './partition-view.ts';
import type { SegmentReader } from './segment-reader.ts';
import type { SegmentView } from './segment-view.ts';
import { SparseIndex } from './sparse-index.ts';

/** Told once the index is there; null: it cannot be had now (the segment is gone, or the job failed). */
export type IndexCallback = (index: SparseIndex | null) => void;

/** See the file header. */
export class IndexCache {
  private readonly reader: SegmentReader;
  private readonly jobs: KeeperPool;
  private readonly indexesMax: number;
  /** Rolled segments whose index is in memory, least recently used first. */
  private readonly loaded = new Set<SegmentView>();
  private readonly loading = new Map<SegmentView, IndexCallback[]>();

  /** @param indexesMax most indexes of rolled segments in memory, of up to 80 KiB each */
  constructor(reader: SegmentReader, jobs: KeeperPool, indexesMax = 128) {
    this.reader = reader;
    this.jobs = jobs;
    this.indexesMax = indexesMax;
  }

  /** Calls back, maybe at once, with an index that covers the whole segment as it was when asked. */
  get(view: PartitionView, segment: SegmentView, callback: IndexCallback): void {
    const index = segment.index;
    if (index !== null && index.startPosition === 0) {
      if (this.loaded.delete(segment)) this.loaded.add(segment);
      callback(index);
      return;
    }
    const waiting = this.loading.get(segment);
    if (waiting !== undefined) {
      waiting.push(callback);
      return;
    }
    this.loading.set(segment, [callback]);
    if (segment === view.active) this.rebuild(view, segment);
    else this.loadFile(view, segment);
  }

  /**
   * The same, but never an index that was only read from a file: then it is rebuilt first, once, and `rebuilt` says that places found before may be wrong.
   */
  getTrusted(view: PartitionView, segment: SegmentView, callback: (index: SparseIndex | null, rebuilt: boolean) => void): void {
    const index = segment.index;
    if (index !== null && index.startPosition === 0 && index.isTrusted) return callback(index, false);
    if (index !== null && !index.isTrusted) this.forget(segment);
    const waiting = this.loading.get(segment);
    if (waiting !== undefined) {
      // Maybe only the file is being read: look again then.
      waiting.push((loaded) => (loaded === null ? callback(null, false) : this.getTrusted(view, segment, callback)));
      return;
    }
    this.loading.set(segment, [(loaded) => callback(loaded, loaded !== null)]);
    this.rebuild(view, segment);
  }

  /** A segment is sealed: its index becomes one of the cached ones, and a file, if it is whole. */
  onSealed(view: PartitionView, segment: SegmentView): void {
    const index = segment.index;
    if (index === null || index.startPosition !== 0) {
      // Main saw only a part of it (the broker restarted meanwhile): rebuilt, and then written, when somebody needs it.
      segment.index = null;
      return;
    }
    this.remember(segment);
    this.jobs
      .submit({
        kind: 'writeIndex',
        path: this.reader.pathOf(view, segment, 'index'),
        baseOffset: segment.baseOffset,
        endPosition: segment.endPosition,
        entries: index.export(),
      })
      .catch((error: unknown) => this.jobs.onFailure('writing an index file', error));
  }

  /** The segment left the log, or was cut. */
  forget(segment: SegmentView): void {
    this.loaded.delete(segment);
    segment.index = null;
  }

  private loadFile(view: PartitionView, segment: SegmentView): void {
    this.reader.readSmallFile(this.reader.pathOf(view, segment, 'index'), (_error, bytes) => {
      if (segment.retired) return this.finish(segment, null);
      const entries = bytes === null ? null : decodeIndexFile(bytes, segment.baseOffset, segment.endPosition);
      if (entries === null) return this.rebuild(view, segment);
      segment.index = SparseIndex.import(entries, view.topic.config.indexIntervalBytes);
      segment.index.isTrusted = false;
      this.remember(segment);
      this.finish(segment, segment.index);
    });
  }

  private rebuild(view: PartitionView, segment: SegmentView): void {
    // An active segment is indexed by main from where it was found at start on; the job does what lies before, and nobody writes a file yet.
    const isActive = segment === view.active;
    const endPosition = segment.index?.startPosition ?? segment.endPosition;
    const job = {
      kind: 'rebuildIndex',
      path: this.reader.pathOf(view, segment, 'log'),
      baseOffset: segment.baseOffset,
      endPosition,
      endOffset: segment.index?.startOffset ?? segment.endOffset,
      refused: view.damage.any ? view.damage.all.ranges.filter(({ from, to }) => to > segment.baseOffset && from < segment.endOffset) : [],
      intervalBytes: view.topic.config.indexIntervalBytes,
      writePath: isActive ? null : this.reader.pathOf(view, segment, 'index'),
    } as const;
    this.jobs.submit(job).then(
      (entries) => {
        if (segment.retired || segment.endPosition < endPosition) return this.finish(segment, null);
        const older = SparseIndex.import(entries, view.topic.config.indexIntervalBytes);
        if (segment.index !== null && segment.index.startPosition > 0) segment.index.prepend(older);
        else if (segment.index === null && segment.endPosition === endPosition) segment.index = older;
        // It grew and was sealed meanwhile: what the job saw is not the whole.
        else if (segment.index === null) return this.rebuild(view, segment);
        if (segment !== view.active) this.remember(segment);
        this.finish(segment, segment.index);
      },
      (error: unknown) => {
        // A file that left the log may be gone.
        if (!segment.retired) this.jobs.onFailure('rebuilding an index', error);
        this.finish(segment, null);
      },
    );
  }

  private remember(segment: SegmentView): void {
    this.loaded.delete(segment);
    this.loaded.add(segment);
    for (const oldest of this.loaded) {
      if (this.loaded.size <= this.indexesMax) break;
      this.loaded.delete(oldest);
      oldest.index = null;
    }
  }

  private finish(segment: SegmentView, index: SparseIndex | null): void {
    const callbacks = this.loading.get(segment) ?? [];
    this.loading.delete(segment);
    for (const callback of callbacks) callback(index);
  }
}
