/** What becomes of the files of a simulated broker that nobody needs any more, and the readers for whom that has to wait. */
import { DiskError } from '../../src/log/disk.ts';
import { segmentPath } from '../../src/log/layout.ts';
import { retireLeftovers, retireSegments, retireTopic, type KeptSegments, type PoolLimits } from '../../src/log/retire.ts';
import type { Prng } from '../../src/lib/prng.ts';
import type { FakeDisk } from './fake-disk.ts';
import { DATA, expectRecord, type SimRecord, type SimTopic } from './history.ts';

/** A segment that left its log, until its file is given away. */
interface RetiredFile {
  readonly topic: SimTopic;
  readonly segmentBase: number;
  isReleased: boolean;
}

interface SlowReader {
  readonly topic: SimTopic;
  readonly fd: number;
  readonly record: SimRecord;
}

/** What the files need of their broker. */
interface Host {
  readonly disk: FakeDisk;
  readonly prng: Prng;
  readonly topics: ReadonlyMap<string, SimTopic>;
  readonly starts: number;
}

/** Planted bugs. */
export interface FileKnobs {
  readonly recycleBeforeReadersAreDone?: boolean;
  readonly recycleBeforeRelease?: boolean;
}

/** See the file header. */
export class SimFiles {
  /** What truncations took from logs. */
  readonly cut = new WeakSet<SimRecord>();
  /** What the life before left behind. */
  leftovers: KeptSegments[] = [];
  private readonly sim: Host;
  private readonly options: FileKnobs;
  private readers: SlowReader[] = [];
  private retiring: (() => boolean)[] = [];
  private retired: RetiredFile[] = [];
  private poolNames = 0;

  constructor(sim: Host, options: FileKnobs) {
    this.sim = sim;
    this.options = options;
  }

  /** Forgets what the dead process knew. */
  afterCrash(): void {
    this.readers = [];
    this.retiring = [];
    this.retired = [];
  }

  /** A topic was deleted and its shard has let go: its files go once nobody reads them. */
  onClosed(topic: SimTopic): void {
    this.retiring.push(() => this.retire(topic));
    this.retireWaiting();
  }

  /** Segments left a log. */
  onRetired(topic: SimTopic, segmentBases: readonly number[]): void {
    for (const segmentBase of segmentBases) this.retired.push({ topic, segmentBase, isReleased: false });
    this.giveAwayRetired();
  }

  /** A durable checkpoint does not name those segments any more. */
  onReleased(segments: readonly { readonly topicId: string; readonly baseOffset: number }[]): void {
    for (const { topicId, baseOffset } of segments)
      for (const file of this.retired) if (file.topic.id === topicId && file.segmentBase === baseOffset) file.isReleased = true;
    this.giveAwayRetired();
  }

  /** Gives away what the life before left behind. */
  giveAwayLeftovers(): void {
    for (const leftovers of this.leftovers.splice(0)) {
      if (this.sim.topics.get(leftovers.topicId)?.deleted === true) continue;
      this.trying(() => retireLeftovers(this.sim.disk, DATA, leftovers, this.poolLimits(), () => {}));
    }
  }

  /** A reader opens a record now and looks at it later. */
  beginRead(topic: SimTopic): void {
    if (topic.deleted || topic.records.size === 0 || topic.damagedAllowed) return;
    const record = this.sim.prng.pick([...topic.records.values()]);
    if (record.position < 0) return;
    const fd = this.sim.disk.peek(segmentPath(DATA, topic.id, 0, record.segmentBase));
    this.readers.push({ topic, fd, record });
  }

  finishReads(): void {
    for (const reader of this.readers) {
      // A truncation may have cut the record while the reader held it; what is deleted, alone or with its topic, is still its own as long as somebody reads it.
      const isServed = reader.record.lastOffset < reader.topic.view.unsecuredFrom;
      if (isServed && !this.cut.has(reader.record)) expectRecord(this.sim.disk, reader.topic, reader.fd, reader.record, 'a slow reader');
      this.sim.disk.close(reader.fd);
    }
    this.readers = [];
    this.retireWaiting();
    this.giveAwayRetired();
  }

  private isRead(topic: SimTopic): boolean {
    return this.readers.some((reader) => reader.topic === topic);
  }

  retireWaiting(): void {
    this.retiring = this.retiring.filter((run) => !run());
  }

  /** Hands on the files of a deleted topic; false while somebody reads them. */
  retire(topic: SimTopic): boolean {
    if (this.isRead(topic) && this.options.recycleBeforeReadersAreDone !== true) return false;
    this.retired = this.retired.filter((file) => file.topic !== topic);
    if (this.trying(() => retireTopic(this.sim.disk, DATA, topic.id, this.poolLimits(), () => {})) && !this.isRead(topic))
      topic.records.clear();
    return true;
  }

  /** Segments that left their logs go to a next owner once that is right. */
  giveAwayRetired(): void {
    const waiting = this.retired;
    this.retired = [];
    for (const file of waiting) {
      const isRead = this.readers.some(({ topic, record }) => topic === file.topic && record.segmentBase === file.segmentBase);
      const mayGo =
        (file.isReleased || this.options.recycleBeforeRelease === true) && (!isRead || this.options.recycleBeforeReadersAreDone === true);
      const path = segmentPath(DATA, file.topic.id, 0, file.segmentBase);
      if (!mayGo) this.retired.push(file);
      else this.trying(() => retireSegments(this.sim.disk, DATA, [path], this.poolLimits(), () => {}));
    }
  }

  private poolLimits(): PoolLimits {
    return { segmentBytesMin: 2048, bytesMax: 256 << 10, random: () => `${this.sim.starts}x${this.poolNames++}` };
  }

  /** A failed job is tried again at the next start. */
  private trying(job: () => void): boolean {
    try {
      job();
      return true;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      return false;
    }
  }
}
