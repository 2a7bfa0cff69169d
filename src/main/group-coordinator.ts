/**
 * Hosts the groups: gives each request to the machine of its group's partition, carries out what the machines want, and loads them from `__consumer_offsets`.
 * The one coordinator of a single broker. Main only.
 *
 *   handler → GroupCoordinator → HostedGroups (machine) ───→ effects ─┬─ answers: given at once
 *                                        ▲                            └─ writes → GroupWriter → log, once per turn of main
 *                                        └── replay, settle ◄── secured ◄─────────────┘
 *
 * The topic is created by the first FindCoordinator; before, nobody has a group. Groups find their partition by the number of partitions, which is why clients
 * cannot add any.
 */
import { Effects, type Instant, type Ticket } from '../coordinator/effects.ts';
import { GroupBudget } from '../coordinator/group-budget.ts';
import type { GroupHost } from '../coordinator/group-context.ts';
import { groupPartition } from '../coordinator/group-hash.ts';
import type { GroupOffsets } from '../coordinator/group-offsets.ts';
import type {
  CommitAnswer,
  CommitRequest,
  DescribedGroup,
  JoinAnswer,
  JoinRequest,
  LeaveAnswer,
  LeaveRequest,
  ListedGroup,
  MemberIdentity,
  OffsetDeleteAnswer,
  OffsetDeleteRequest,
  SyncAnswer,
  SyncRequest,
} from '../coordinator/group-requests.ts';
import type { WatchedGroup } from '../coordinator/group-partition.machine.ts';
import type { GroupSettings } from '../coordinator/group-settings.ts';
import { joinError, syncError } from '../coordinator/rebalance.machine.ts';
import { CLOCK_STEP_MS } from '../lib/clock-step.ts';
import type { TimerWheel } from '../lib/timer-wheel.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { HostedGroups, type GroupLogLoads } from './hosted-groups.ts';
import type { GroupLogAppends } from './group-writer.ts';

/** The log of `__consumer_offsets`. */
export interface GroupLog extends GroupLogAppends, GroupLogLoads {
  /** Whether the topic was created. */
  readonly exists: boolean;
  readonly partitionCount: number;
  /** Creates the topic where it is missing. Resolves with NONE once it is there, or with why it is not. */
  ensure(): Promise<number>;
}

export interface GroupCoordinatorParts {
  readonly log: GroupLog;
  readonly settings: GroupSettings;
  /** Memory for all groups together. */
  readonly memoryBytes: number;
  /** offsets.retention.check.interval.ms */
  readonly retentionCheckMs: number;
  /** Turned by the owner with the clock of `nowMs`. */
  readonly timers: TimerWheel;
  readonly nowMs: () => number;
  /** Milliseconds since 1970. */
  readonly date: () => number;
  /** Something went wrong that no client is told of. */
  readonly onProblem: (text: string, details: Readonly<Record<string, unknown>>) => void;
}

/** Records on their way, over all partitions, beyond which no commit is taken: the disk does not keep up. */
const WAITING_RECORDS_MAX = 100_000;
/** A partition that could not be loaded is loaded again after this; each time that fails, after twice as long. */
const RELOAD_MS_MIN = 5000;
const RELOAD_MS_MAX = 300_000;
/** Groups that are looked at in one go when something is to be deleted from all. */
const SWEEP_GROUPS = 200;

/** See the file header. */
export class GroupCoordinator {
  private readonly parts: GroupCoordinatorParts;
  private readonly effects = new Effects();
  private readonly budget: GroupBudget;
  /** Empty until the topic is there. */
  private partitions: HostedGroups[] = [];
  private isScheduled = false;
  private stopped = false;
  /** How far dates are from the steady clock, as of the last look. */
  private dateAheadMs = NaN;

  constructor(parts: GroupCoordinatorParts) {
    this.parts = parts;
    this.budget = new GroupBudget(parts.memoryBytes);
    this.effects.onWork = () => this.schedule();
  }

  /** Begins to load what there is; to be called once partitions can be read. */
  start(): void {
    if (this.parts.log.exists) this.open();
    this.wasClockSet();
    this.armRetention();
  }

  /** Nothing is done any more. What waits for an answer loses its connection, or has lost it. */
  stop(): void {
    this.stopped = true;
  }

  /** Makes sure that there is a coordinator. Resolves with NONE, or with what to tell the client. */
  async ensure(): Promise<number> {
    if (this.partitions.length > 0) return ErrorCode.NONE;
    const errorCode = await this.parts.log.ensure();
    if (errorCode === ErrorCode.NONE && !this.stopped) this.open();
    return errorCode;
  }

  // Requests.

  join(request: JoinRequest, ticket: Ticket<JoinAnswer>): void {
    const groups = this.route(request.groupId);
    if (typeof groups === 'number') return ticket.answer(joinError(groups, request.memberId));
    groups.machine.join(request, ticket, this.now());
    this.effects.giveAnswers();
  }

  sync(request: SyncRequest, ticket: Ticket<SyncAnswer>): void {
    const groups = this.route(request.groupId);
    if (typeof groups === 'number') return ticket.answer(syncError(groups));
    groups.machine.sync(request, ticket);
    this.effects.giveAnswers();
  }

  /** Returns the code to answer with. */
  heartbeat(request: MemberIdentity): number {
    const groups = this.route(request.groupId);
    // A member that beats while its group is being loaded is as alive as can be.
    if (typeof groups === 'number') return groups === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? ErrorCode.NONE : groups;
    return groups.machine.heartbeat(request, this.now());
  }

  leave(request: LeaveRequest): LeaveAnswer {
    const groups = this.route(request.groupId);
    if (typeof groups === 'number') return { errorCode: groups, members: [] };
    const answer = groups.machine.leave(request, this.now());
    this.effects.giveAnswers();
    return answer;
  }

  commit(request: CommitRequest, ticket: Ticket<CommitAnswer>): void {
    const groups = this.isBehind ? ErrorCode.COORDINATOR_NOT_AVAILABLE : this.route(request.groupId);
    if (typeof groups === 'number') return ticket.answer({ errorCodes: request.partitions.map(() => groups) });
    groups.machine.commit(request, ticket, this.now());
    this.effects.giveAnswers();
  }

  deleteOffsets(request: OffsetDeleteRequest, ticket: Ticket<OffsetDeleteAnswer>): void {
    const groups = this.route(request.groupId);
    if (typeof groups === 'number') return ticket.answer({ errorCode: groups, errorCodes: [] });
    groups.machine.deleteOffsets(request, ticket);
    this.effects.giveAnswers();
  }

  /** The answer is a code. */
  deleteGroup(groupId: string, ticket: Ticket<number>): void {
    const groups = this.route(groupId);
    if (typeof groups === 'number') return ticket.answer(groups);
    groups.machine.deleteGroup(groupId, ticket);
    this.effects.giveAnswers();
  }

  /** The offsets of a group, undefined if there is no such group, or an error code. */
  offsetsOf(groupId: string): Pick<GroupOffsets, 'get' | 'topicNames' | 'ofTopic'> | undefined | number {
    const groups = this.route(groupId);
    return typeof groups === 'number' ? groups : groups.machine.offsetsOf(groupId);
  }

  /** The group, undefined if there is none, or an error code. */
  describe(groupId: string): DescribedGroup | undefined | number {
    const groups = this.route(groupId);
    return typeof groups === 'number' ? groups : groups.machine.describe(groupId);
  }

  /** All groups, or an error code if some are not known yet. */
  list(): ListedGroup[] | number {
    const unloaded = this.partitions.find((groups) => groups.errorCode !== ErrorCode.NONE);
    return unloaded?.errorCode ?? this.partitions.flatMap((groups) => [...groups.machine.list()]);
  }

  /** All groups that are loaded, for who goes through them over many turns; those that come meanwhile may be among them. */
  *watched(): Generator<WatchedGroup, void, undefined> {
    for (const groups of this.partitions) if (groups.errorCode === ErrorCode.NONE) yield* groups.machine.watched();
  }

  /** The topic is deleted: nobody has committed anything for it. Resolves once that is secured; false: it is not, and has to be done again. Never rejects. */
  async onTopicDeleted(topic: string): Promise<boolean> {
    // At once: somebody may create a topic of the same name, and commit for that.
    const told = this.partitions.map((groups) => new Promise<number>((resolve) => groups.forgetTopic(topic, resolve)));
    return (await Promise.all(told)).every((code) => code === ErrorCode.NONE);
  }

  // Inside.

  private now(): Instant {
    return { ms: this.parts.nowMs(), date: this.parts.date() };
  }

  private get isBehind(): boolean {
    let waiting = 0;
    for (const groups of this.partitions) waiting += groups.writer.waitingRecords;
    return waiting > WAITING_RECORDS_MAX;
  }

  /** The groups among which one is to be found, or why it cannot be. */
  private route(groupId: string): HostedGroups | number {
    if (this.stopped) return ErrorCode.COORDINATOR_NOT_AVAILABLE;
    // Nobody has asked for a coordinator yet.
    if (this.partitions.length === 0) return ErrorCode.NOT_COORDINATOR;
    const groups = this.partitions[groupPartition(groupId, this.partitions.length)] as HostedGroups;
    return groups.errorCode === ErrorCode.NONE ? groups : groups.errorCode;
  }

  private open(): void {
    if (this.partitions.length > 0) return;
    const { log, settings, timers, date } = this.parts;
    const host: Omit<GroupHost, 'budget'> = { settings, effects: this.effects, timers, date };
    for (let partition = 0; partition < log.partitionCount; partition++) {
      const hosted = new HostedGroups(partition, host, this.budget, {
        log,
        now: () => this.now(),
        onBatchEnd: () => this.effects.giveAnswers(),
        onProblem: this.parts.onProblem,
      });
      this.partitions.push(hosted);
      this.load(hosted);
    }
  }

  private load(groups: HostedGroups, reloadMs = RELOAD_MS_MIN): void {
    if (this.stopped) return;
    groups.load((errorCode) => {
      if (errorCode === ErrorCode.NONE || this.stopped) return this.effects.giveAnswers();
      this.parts.onProblem('groups could not be loaded; another try follows', { partition: groups.partition, errorCode });
      const { timers, nowMs } = this.parts;
      timers.schedule(nowMs(), reloadMs, () => this.load(groups, Math.min(2 * reloadMs, RELOAD_MS_MAX)));
    });
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.carryOut();
    });
  }

  private carryOut(): void {
    if (this.stopped) return;
    this.effects.giveAnswers();
    const writes = this.effects.takeWrites();
    for (const write of writes) (this.partitions[write.partition] as HostedGroups).writer.add(write);
    for (const write of writes) (this.partitions[write.partition] as HostedGroups).writer.flush();
  }

  private armRetention(): void {
    const { timers, nowMs, retentionCheckMs } = this.parts;
    timers.schedule(nowMs(), retentionCheckMs, () => this.expireAll());
  }

  /** Whether dates have moved by another time than the one that has passed since the last call. */
  private wasClockSet(): boolean {
    const { ms, date } = this.now();
    const movedMs = date - ms - this.dateAheadMs;
    this.dateAheadMs = date - ms;
    return Math.abs(movedMs) > CLOCK_STEP_MS;
  }

  /**
   * Deletes what has expired, looking at a few groups at a time: others want main, too. Nothing for one check interval after the clock was set, as with records
   * (decisions/0010): it may be put right again, and a tombstone cannot be taken back.
   */
  private expireAll(): void {
    if (this.wasClockSet()) return this.armRetention();
    const left = this.partitions.flatMap((groups) => Array.from(groups.machine.groupIds(), (groupId) => ({ groups, groupId })));
    const step = (): void => {
      if (this.stopped) return;
      const now = this.now();
      for (const { groups, groupId } of left.splice(0, SWEEP_GROUPS))
        if (groups.errorCode === ErrorCode.NONE) groups.machine.expire(groupId, now);
      if (left.length > 0) setImmediate(step);
      else this.armRetention();
    };
    step();
  }
}
