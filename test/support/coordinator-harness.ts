/** Hosts one group machine without a broker: its log is an array of encoded records, its clock stands until it is moved, its writes are secured at once or when the test says so. */
import { Effects, type Instant, type Ticket, type Write } from '../../src/coordinator/effects.ts';
import { GroupBudget } from '../../src/coordinator/group-budget.ts';
import { GroupPartition } from '../../src/coordinator/group-partition.machine.ts';
import { decodeCoordinatorRecord, encodeCoordinatorRecord, type EncodedRecord } from '../../src/coordinator/group-records.ts';
import type {
  CommitAnswer,
  CommitRequest,
  JoinAnswer,
  JoinRequest,
  LeaveAnswer,
  LeavingMember,
  OffsetDeleteAnswer,
  PartitionName,
  SyncAnswer,
  SyncRequest,
} from '../../src/coordinator/group-requests.ts';
import type { GroupSettings } from '../../src/coordinator/group-settings.ts';
import { TimerWheel } from '../../src/lib/timer-wheel.ts';

export const SETTINGS: GroupSettings = {
  initialRebalanceDelayMs: 3000,
  sessionTimeoutMsMin: 6000,
  sessionTimeoutMsMax: 1_800_000,
  groupSizeMax: 2_147_483_647,
  offsetMetadataBytesMax: 4096,
  offsetsRetentionMs: 7 * 24 * 3_600_000,
};

/** An answer that may not be there yet. */
export class Pending<R> implements Ticket<R> {
  answers: R[] = [];

  answer(response: R): void {
    this.answers.push(response);
  }

  get isAnswered(): boolean {
    return this.answers.length > 0;
  }

  /** The one answer. */
  get value(): R {
    if (this.answers.length !== 1) throw new Error(`${this.answers.length} answers, not one`);
    return this.answers[0]!;
  }
}

/** What a join says unless the test says otherwise. */
export const JOIN: JoinRequest = {
  groupId: 'group',
  memberId: '',
  groupInstanceId: null,
  clientId: 'client',
  clientHost: '/127.0.0.1',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 60_000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: subscription('topic') }],
  needsKnownMemberId: true,
  canSkipAssignment: true,
  uniqueId: '',
};

export const DATE_0 = 1_700_000_000_000;
export const TICK_MS = 10;

/** A subscription as consumers send it, version 0. */
export function subscription(...topics: string[]): Uint8Array {
  const parts = topics.map((topic) => Buffer.concat([Buffer.from([0, topic.length]), Buffer.from(topic)]));
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 0, topics.length]), ...parts, Buffer.from([255, 255, 255, 255])]);
}

export class CoordinatorHarness {
  readonly effects = new Effects();
  readonly budget: GroupBudget;
  readonly settings: GroupSettings;
  readonly log: EncodedRecord[] = [];
  machine!: GroupPartition;
  /** Writes that wait to be secured; stays empty unless `holdWrites`. */
  readonly held: Write[] = [];
  holdWrites = false;
  nowMs = 0;
  private timers!: TimerWheel;
  private nextId = 1;

  constructor(settings: Partial<GroupSettings> = {}, budgetBytes = 1024 * 1024 * 1024) {
    this.settings = { ...SETTINGS, ...settings };
    this.budget = new GroupBudget(budgetBytes);
    this.restart();
  }

  get now(): Instant {
    return { ms: this.nowMs, date: DATE_0 + this.nowMs };
  }

  /** A new machine takes over, with what the log says. */
  restart(): void {
    this.effects.giveAnswers();
    this.effects.takeWrites();
    this.held.length = 0;
    this.budget.discard();
    this.timers = new TimerWheel(this.nowMs, TICK_MS);
    this.machine = this.load();
  }

  /** A machine made of the log alone. */
  load(budget = this.budget, timers = this.timers): GroupPartition {
    const host = { settings: this.settings, budget, effects: this.effects, timers, date: () => DATE_0 + this.nowMs };
    const machine = new GroupPartition(0, host);
    for (const { key, value } of this.log) machine.replay(decodeCoordinatorRecord(key, value)!, this.now);
    machine.becomeActive(this.now);
    return machine;
  }

  /** The same that does not disturb this one. */
  freshCopy(): GroupPartition {
    return this.load(new GroupBudget(Infinity), new TimerWheel(this.nowMs, TICK_MS));
  }

  /** Carries out what the machine left. */
  run(): void {
    while (!this.effects.isEmpty) {
      this.effects.giveAnswers();
      for (const write of this.effects.takeWrites()) {
        if (this.holdWrites) this.held.push(write);
        else this.secure(write);
      }
    }
  }

  /** The write arrives in the log. */
  secure(write: Write): void {
    for (const record of write.records) {
      const encoded = encodeCoordinatorRecord(record);
      this.log.push(encoded);
      this.machine.replay(decodeCoordinatorRecord(encoded.key, encoded.value)!, this.now);
    }
    write.settle(0, this.now);
  }

  /** The first held write arrives, or fails with a code. */
  release(errorCode = 0): void {
    const write = this.held.shift();
    if (write === undefined) throw new Error('no write is held');
    if (errorCode === 0) this.secure(write);
    else write.settle(errorCode, this.now);
    this.run();
  }

  releaseAll(): void {
    while (this.held.length > 0) this.release();
  }

  /** Time passes. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    while (this.nowMs < end) {
      this.nowMs = Math.min(end, this.nowMs + TICK_MS);
      this.timers.advance(this.nowMs);
      this.run();
    }
  }

  join(request: Partial<JoinRequest> = {}): Pending<JoinAnswer> {
    const ticket = new Pending<JoinAnswer>();
    this.machine.join({ ...JOIN, uniqueId: `${this.nextId++}`, ...request }, ticket, this.now);
    this.run();
    return ticket;
  }

  /** The id that a dynamic member is given. */
  newMemberId(request: Partial<JoinRequest> = {}): string {
    return this.join(request).value.memberId;
  }

  sync(request: Partial<SyncRequest> & Pick<SyncRequest, 'memberId' | 'generationId'>): Pending<SyncAnswer> {
    const ticket = new Pending<SyncAnswer>();
    const full = { groupId: 'group', groupInstanceId: null, protocolType: null, protocolName: null, assignments: [], ...request };
    this.machine.sync(full, ticket);
    this.run();
    return ticket;
  }

  heartbeat(memberId: string, generationId: number, groupInstanceId: string | null = null, groupId = 'group'): number {
    const code = this.machine.heartbeat({ groupId, memberId, generationId, groupInstanceId }, this.now);
    this.run();
    return code;
  }

  leave(...members: (string | LeavingMember)[]): LeaveAnswer {
    const leaving = members.map((member) => (typeof member === 'string' ? { memberId: member, groupInstanceId: null } : member));
    const answer = this.machine.leave({ groupId: 'group', members: leaving }, this.now);
    this.run();
    return answer;
  }

  commit(offset: number, request: Partial<CommitRequest> = {}, topic = 'topic', partition = 0, metadata = ''): Pending<CommitAnswer> {
    const ticket = new Pending<CommitAnswer>();
    const full: CommitRequest = {
      groupId: 'group',
      memberId: '',
      groupInstanceId: null,
      generationId: -1,
      knowsGroupIdNotFound: true,
      retentionMs: -1,
      partitions: [{ topic, partition, offset: BigInt(offset), leaderEpoch: -1, metadata, commitTimestampMs: -1 }],
      ...request,
    };
    this.machine.commit(full, ticket, this.now);
    this.run();
    return ticket;
  }

  deleteOffsets(partitions: PartitionName[], groupId = 'group'): Pending<OffsetDeleteAnswer> {
    const ticket = new Pending<OffsetDeleteAnswer>();
    this.machine.deleteOffsets({ groupId, partitions }, ticket);
    this.run();
    return ticket;
  }

  deleteGroup(groupId = 'group'): Pending<number> {
    const ticket = new Pending<number>();
    this.machine.deleteGroup(groupId, ticket);
    this.run();
    return ticket;
  }

  expire(groupId = 'group'): void {
    this.machine.expire(groupId, this.now);
    this.run();
  }

  offset(topic = 'topic', partition = 0, groupId = 'group'): number | undefined {
    const committed = this.machine.offsetsOf(groupId)?.get(topic, partition);
    return committed === undefined ? undefined : Number(committed.offset);
  }

  state(groupId = 'group'): string | undefined {
    return this.machine.describe(groupId)?.state;
  }

  /** A stable group of `count` dynamic members, each assigned its own number as text; the first leads. */
  stableGroup(count: number, request: Partial<JoinRequest> = {}): { memberIds: string[]; generationId: number } {
    const memberIds = Array.from({ length: count }, () => this.newMemberId(request));
    const joins = memberIds.map((memberId) => this.join({ ...request, memberId }));
    this.advance(this.settings.initialRebalanceDelayMs * 2 + 2 * TICK_MS);
    const generationId = joins[0]!.value.generationId;
    const leader = joins[0]!.value.leader;
    for (const memberId of memberIds) if (memberId !== leader) this.sync({ memberId, generationId });
    const assignments = memberIds.map((memberId, index) => ({ memberId, assignment: Buffer.from(`${index}`) }));
    this.sync({ memberId: leader, generationId, assignments });
    return { memberIds, generationId };
  }
}

/** What of a machine survives a restart, in a form to compare. Of groups that are not stable only their offsets: a machine may be ahead of its log. */
export function survivors(machine: GroupPartition): Record<string, unknown> {
  const groups: Record<string, unknown> = {};
  for (const groupId of [...machine.groupIds()].sort()) {
    const group = machine.describe(groupId)!;
    const offsets: string[] = [];
    for (const topic of machine.offsetsOf(groupId)!.topicNames())
      for (const [partition, committed] of machine.offsetsOf(groupId)!.ofTopic(topic))
        offsets.push(`${topic}-${partition} ${committed.offset} ${committed.leaderEpoch} ${committed.metadata}`);
    const members = group.members.map((member) => ({
      ...member,
      subscription: Buffer.from(member.subscription).toString('hex'),
      assignment: Buffer.from(member.assignment).toString('hex'),
    }));
    const isStable = group.state === 'Stable';
    const survives = isStable ? { ...group, members: members.sort((a, b) => (a.memberId < b.memberId ? -1 : 1)) } : {};
    if (isStable || offsets.length > 0) groups[groupId] = { ...survives, offsets: offsets.sort() };
  }
  return groups;
}
