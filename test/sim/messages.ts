/** What a simulated broker makes of the messages of its shards, in the place of main. */
import type { FromShard, LogStartChange } from '../../src/log/messages.ts';
import type { PartitionState } from '../../src/log/partition-state.ts';
import type { ShardCalls } from '../../src/main/shard-calls.ts';
import type { SimAnswers } from './answers.ts';
import type { SimFiles } from './files.ts';
import { check, Survives, type SimTopic } from './history.ts';
import type { SimProducers } from './producers.ts';
import type { ShardSlot } from './shard-slot.ts';

/** What messages need of their broker. */
interface Host {
  readonly topics: ReadonlyMap<string, SimTopic>;
  readonly answers: SimAnswers;
  readonly files: SimFiles;
  readonly calls: ShardCalls;
  readonly producers: SimProducers<SimTopic>;
  readonly nowMs: number;
  readonly trace: ((line: string) => void) | null;
  truncations: number;
  retirements: number;
  recycled: number;
  byHandle(handle: number): SimTopic | undefined;
  shardOf(topic: SimTopic): string;
  open(topic: SimTopic, state: PartitionState, recovered: boolean): void;
}

/** See the file header. */
export class SimMessages {
  private readonly sim: Host;

  constructor(sim: Host) {
    this.sim = sim;
  }

  onControl(slot: ShardSlot, message: FromShard): void {
    this.sim.trace?.(`${slot.name} -> ${JSON.stringify(message, (key, value: unknown) => (key === 'bytes' ? undefined : value))}`);
    switch (message.kind) {
      case 'job':
        slot.jobs.push({ job: message.job, work: message.work });
        return;
      case 'failed':
        slot.failed = true;
        return;
      case 'unsecured':
        for (const { handle, from } of message.ranges) this.sim.byHandle(handle)?.view.onUnsecured(from);
        return;
      case 'stopped':
        slot.stopped = message.error === null;
        return;
      case 'began':
      case 'syncHelpWanted':
      case 'refusing':
        return;
      case 'rolled':
        if (message.capacity > 0) this.sim.recycled++;
        this.sim.byHandle(message.handle)?.view.onRolled(message.baseOffset, message.capacity, message.previousEndPosition);
        return;
      case 'clean':
      case 'replaced':
        throw new Error(`nothing is compacted here: ${message.kind}`);
      case 'released':
        this.sim.files.onReleased(message.segments);
        return;
      case 'logStartMoved': {
        const topic = this.sim.byHandle(message.handle);
        if (topic === undefined || message.error !== null) return;
        this.expectDue(topic, message.logStartOffset);
        this.onLogStart(topic, message, slot.class === 'sync' ? Survives.power : Survives.process);
        return;
      }
    }
    this.sim.calls.onReply(message);
    const topic = this.sim.byHandle(message.handle);
    if (topic === undefined) return;
    switch (message.kind) {
      case 'opened': {
        const opening = topic.opening as PartitionState;
        topic.opening = null;
        if (message.error !== null) {
          topic.unopened = opening;
          return;
        }
        topic.online = true;
        // The answer to a change of mode: everything acknowledged before is now as safe as the new mode promises.
        if (topic.moving && topic.durability === 'fsync') for (const record of topic.records.values()) record.survives = Survives.power;
        topic.moving = false;
        return;
      }
      case 'closed':
        this.sim.files.onClosed(topic);
        return;
      case 'configured':
        if (--topic.configuring === 0) topic.retentions = [topic.retention];
        return;
      case 'movedOut':
        if (message.state === null) {
          // It stays where it is.
          topic.online = true;
          return;
        }
        topic.shard = this.sim.shardOf(topic);
        topic.moving = true;
        this.sim.open(topic, message.state, false);
        return;
      case 'truncated':
        // A refused truncation may still have happened: only a restart tells.
        if (message.error !== null || message.state === null) return;
        if (--this.sim.truncations === 0) for (const each of this.sim.topics.values()) each.truncatingTo = Infinity;
        topic.view.onTruncated(message.state);
        this.sim.producers.onTruncated(topic, message.state);
        for (const [offset, record] of topic.records) {
          const isCut = record.lastOffset >= message.state.endOffset;
          // What an idempotent producer sends again at this moment may be appended behind the cut.
          if (isCut && !this.sim.answers.isOnItsWay(record.id)) topic.cut.add(record.id);
          if (isCut) this.sim.files.cut.add(record);
          // A cut down to the log start takes the deleted records before it along.
          if (isCut || message.state.segments.length === 0) topic.records.delete(offset);
        }
        return;
      case 'logStartSet':
        // What a shard that failed did not record may still have happened: only a restart tells.
        if (message.error === null) this.onLogStart(topic, message, Survives.power);
    }
  }

  private onLogStart(topic: SimTopic, { logStartOffset, retired }: LogStartChange, survives: number): void {
    topic.view.onLogStartSet(logStartOffset, retired);
    topic.logStart = logStartOffset;
    topic.maybeStart = Math.max(topic.maybeStart, logStartOffset);
    for (let level = 0; level <= survives; level++)
      topic.securedStart[level] = Math.max(topic.securedStart[level] as number, logStartOffset);
    for (const [offset, record] of topic.records) if (record.lastOffset < logStartOffset) topic.records.delete(offset);
    this.sim.retirements += retired.length;
    this.sim.files.onRetired(topic, retired);
  }

  /** Holds a deletion that nobody asked for against the settings: of each segment it took either the records are too old, or what is behind them is enough. */
  private expectDue(topic: SimTopic, logStart: number): void {
    const records = [...topic.records.values()];
    const gone = records.filter(({ lastOffset }) => lastOffset >= topic.logStart && lastOffset < logStart);
    const taken = [...new Set(gone.map(({ segmentBase }) => segmentBase))].map((base) => {
      const own = gone.filter(({ segmentBase }) => segmentBase === base);
      const end = Math.max(...own.map(({ lastOffset }) => lastOffset));
      const behind = records.reduce((bytes, record) => bytes + (record.lastOffset > end ? record.batch.length : 0), 0);
      return { base, behind, ageMs: this.sim.nowMs - Math.max(...own.map(({ timestamp }) => timestamp)) };
    });
    check(
      topic.retentions.some(({ retentionMs, retentionBytes }) =>
        taken.every(({ behind, ageMs }) => behind >= retentionBytes || ageMs > retentionMs),
      ),
      `${topic.id}: records below ${logStart} were deleted: ${taken.map((each) => `without segment ${each.base} ${each.behind} bytes are left, its youngest was ${each.ageMs} ms old`).join('; ')}`,
    );
  }
}
