/**
 * Shows what consumer groups there are, and how far each is behind in each partition that it has committed an offset of. Goes through them about once a second, a
 * few hundred a turn: a broker may have very many, and others want main, too. Main only.
 *
 *   lag in records   from what main knows anyway: watermark, committed offset
 *   lag in seconds   needs the time of a record, which only its batch tells. It is looked up when the committed offset has moved, and kept; see record-ages.ts.
 */
import type { GroupState } from '../coordinator/classic-group.ts';
import type { WatchedGroup } from '../coordinator/group-partition.machine.ts';
import type { SeriesMessage } from '../http/messages.ts';
import { GROUP_METRICS, MEMBER_METRICS } from '../telemetry/group-metrics.ts';
import type { PartitionView } from './partition-view.ts';
import type { AgeSeeker, RecordAges } from './record-ages.ts';
import type { Router } from './router.ts';
import { Series, type SeriesKind } from './series.ts';

/** Steps (a group, a partition of a group) in one turn of main: well below a millisecond. */
const STEPS_PER_TURN = 300;
/** Records looked up between the beginnings of two rounds. */
const LOOKS_PER_ROUND = 50;

/** What it is given to work with. */
export interface GroupLagsParts {
  readonly groups: () => Iterable<WatchedGroup>;
  readonly router: Pick<Router, 'topicByName'>;
  readonly ages: RecordAges;
  /** Most series of a kind. */
  readonly rowsMax: number;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  /** Tells readers of series that are laid out anew. */
  readonly tell: (message: SeriesMessage) => void;
}

/** A group with a longer id, in UTF-16 units, has no series of its own and counts as left out. Names of topics are no longer than this either. */
const GROUP_LABEL_UNITS_MAX = 249;

/** Groups in each state. */
export type GroupCounts = Readonly<Record<GroupState | 'offsets', number>>;

interface MemberRow {
  readonly group: string;
  members: number;
  round: number;
}

const LAGS: SeriesKind<LagRow> = {
  table: 'groups',
  metrics: GROUP_METRICS,
  labels: ({ group, topic, partition }) => [group, topic, String(partition)],
  write({ lag, lagSeconds }, values, at) {
    values[at] = lag;
    values[at + 1] = lagSeconds;
  },
};

const MEMBERS: SeriesKind<MemberRow> = {
  table: 'members',
  metrics: MEMBER_METRICS,
  labels: ({ group }) => [group],
  write({ members }, values, at) {
    values[at] = members;
  },
};

/** See the file header. */
export class GroupLags {
  /** As of the last round that came to its end. */
  counts: GroupCounts = noGroups();
  private readonly parts: GroupLagsParts;
  private readonly lags: Series<LagRow>;
  private readonly members: Series<MemberRow>;
  /** By partition, topic and group; of this round or the last one. */
  private readonly lagRows = new Map<string, LagRow>();
  private readonly memberRows = new Map<string, MemberRow>();
  private round = 0;
  private running: Iterator<void, void, undefined> | null = null;
  private stopped = false;

  constructor(parts: GroupLagsParts) {
    this.parts = parts;
    this.lags = new Series(LAGS, parts.rowsMax);
    this.members = new Series(MEMBERS, parts.rowsMax);
  }

  /** Begins a round, unless one is under way. */
  begin(): void {
    if (this.running !== null || this.stopped) return;
    this.parts.ages.allow(LOOKS_PER_ROUND);
    this.running = this.steps();
    this.step();
  }

  stop(): void {
    this.stopped = true;
    this.parts.ages.allow(0);
  }

  private step(): void {
    if (this.stopped || this.running === null) return;
    if (this.running.next().done === true) this.running = null;
    else setImmediate(() => this.step());
  }

  /** One round; yields where others may have their turn. */
  private *steps(): Generator<void, void, undefined> {
    const counts = noGroups();
    this.round++;
    this.lags.begin();
    this.members.begin();
    let steps = 0;
    for (const group of this.parts.groups()) {
      counts[group.state]++;
      this.showMembers(group);
      if (++steps % STEPS_PER_TURN === 0) yield;
      for (const topic of group.offsets.topicNames()) {
        counts.offsets += group.offsets.countOf(topic);
        if (this.lags.isFull || isTooLong(group.groupId)) {
          this.lags.leaveOut(group.offsets.countOf(topic));
          if (++steps % STEPS_PER_TURN === 0) yield;
          continue;
        }
        for (const [partition, { offset }] of group.offsets.ofTopic(topic)) {
          this.showLag(group.groupId, topic, partition, Number(offset));
          if (++steps % STEPS_PER_TURN === 0) yield;
        }
      }
    }
    yield* this.forgetOthers(this.lagRows);
    yield* this.forgetOthers(this.memberRows);
    this.counts = counts;
    for (const series of [this.lags, this.members]) {
      const message = series.end();
      if (message !== null) this.parts.tell(message);
    }
  }

  private showMembers({ groupId, members }: WatchedGroup): void {
    let row = this.memberRows.get(groupId);
    // A group that went and came back during the round is here twice.
    if (row?.round === this.round) return;
    if (this.members.isFull || isTooLong(groupId)) return this.members.leaveOut(1);
    if (row === undefined) this.memberRows.set(groupId, (row = { group: groupId, members: 0, round: 0 }));
    row.round = this.round;
    row.members = members.size;
    this.members.add(row);
  }

  private showLag(group: string, topic: string, partition: number, committed: number): void {
    const view = this.parts.router.topicByName(topic)?.partitions[partition];
    // Some clients commit −1, which is none.
    if (view === undefined || committed < 0) return;
    const key = `${partition} ${topic} ${group}`;
    let row = this.lagRows.get(key);
    if (row?.round === this.round) return;
    if (this.lags.isFull) return this.lags.leaveOut(1);
    // Another topic of the same name has other records.
    if (row === undefined || row.view !== view) {
      if (row !== undefined) this.parts.ages.forget(row);
      this.lagRows.set(key, (row = new LagRow(group, topic, partition, view)));
    }
    row.round = this.round;
    if (row.look(committed, this.parts.date())) this.parts.ages.seek(row);
    this.lags.add(row);
  }

  private *forgetOthers(rows: Map<string, MemberRow | LagRow>): Generator<void, void, undefined> {
    let steps = 0;
    for (const [key, row] of rows) {
      if (row.round !== this.round) {
        rows.delete(key);
        if (row instanceof LagRow) this.parts.ages.forget(row);
      }
      if (++steps % (10 * STEPS_PER_TURN) === 0) yield;
    }
  }
}

/** Groups have any id that a client says; a page with a thousand of the longest would have a hundred megabytes. */
function isTooLong(groupId: string): boolean {
  return groupId.length > GROUP_LABEL_UNITS_MAX;
}

/** How far a group is behind in one partition. */
class LagRow implements AgeSeeker {
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly view: PartitionView;
  lag = 0;
  lagSeconds = 0;
  /** First record that is not committed and still there; −1: none. */
  firstOffset = -1;
  /** The round it was seen in. */
  round = 0;
  /** Time of the record at {@link firstOffset}, ms since 1970; negative: it has none; null: not looked up yet. */
  private timestamp: number | null = null;

  constructor(group: string, topic: string, partition: number, view: PartitionView) {
    this.group = group;
    this.topic = topic;
    this.partition = partition;
    this.view = view;
  }

  /** Takes the present numbers. Returns whether the time of a record has to be looked up. */
  look(committed: number, date: number): boolean {
    const { highWatermark, logStartOffset } = this.view;
    this.lag = Math.max(0, highWatermark - committed);
    const first = Math.max(committed, logStartOffset);
    const isBehind = first < highWatermark;
    if (!isBehind) this.firstOffset = -1;
    const hasMoved = isBehind && first !== this.firstOffset;
    if (hasMoved) {
      this.firstOffset = first;
      this.timestamp = null;
    }
    this.lagSeconds = isBehind ? ageSeconds(this.timestamp ?? latestTimeOf(this.view, first), date) : 0;
    return hasMoved;
  }

  onTimestamp(offset: number, timestamp: number | null): void {
    // It may have moved on meanwhile, and is then asked for again.
    if (offset === this.firstOffset) this.timestamp = timestamp;
  }
}

/** @param timestamp ms since 1970; negative: unknown. Clocks of producers may be ahead of ours. */
function ageSeconds(timestamp: number, date: number): number {
  return timestamp < 0 ? NaN : Math.max(0, date - timestamp) / 1000;
}

/** The latest time that a record can have, as far as index and segments tell without the disk, if times rise with offsets; −1: unknown. */
function latestTimeOf(view: PartitionView, offset: number): number {
  const segment = view.segments[view.segmentIndexOf(offset)];
  if (segment === undefined) return -1;
  const { index } = segment;
  const next = index === null ? 0 : index.findOffset(offset) + 1;
  return index !== null && next < index.count ? index.maxTimestampBefore(next) : segment.maxTimestamp;
}

function noGroups(): Record<GroupState | 'offsets', number> {
  return { Empty: 0, PreparingRebalance: 0, CompletingRebalance: 0, Stable: 0, offsets: 0 };
}
