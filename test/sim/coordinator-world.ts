/**
 * Consumers of one group and their coordinator in simulated time: slow members, lost answers, members that die, a coordinator that restarts from its log and a
 * disk that takes its time and fails. Everything follows from the seed.
 *
 * A consumer here does what the classic clients do: it asks again when it is told to, starts over when it is unknown, gives up waiting after a while, and
 * finishes what it is working on before it joins again, which takes long for some.
 */
import type { JoinAnswer, SyncAnswer } from '../../src/coordinator/group-requests.ts';
import { Prng } from '../../src/lib/prng.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { CoordinatorHarness, JOIN, TICK_MS, subscription, type Pending } from '../support/coordinator-harness.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly members: number;
  /** Members start within this time, in ms. */
  readonly startMsMax: number;
  /** Longest time that a member works before it joins again, in ms. */
  readonly workMsMax: number;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  /** Whether members die, answers are lost and the coordinator restarts while {@link World.trouble} runs. */
  readonly faults: boolean;
}

const PARTITIONS = 24;
const HEARTBEAT_MS = 3000;

type Phase = 'idle' | 'joining' | 'syncing' | 'stable' | 'working' | 'dead';

/** See the file header. */
export class Consumer {
  readonly name: string;
  readonly instanceId: string | null;
  phase: Phase = 'idle';
  memberId = '';
  generationId = -1;
  /** Partitions of the generation, once told. */
  assignment: readonly number[] = [];

  nextActMs: number;
  private workUntilMs = 0;
  private nextHeartbeatMs = 0;
  private join: Pending<JoinAnswer> | null = null;
  private sync: Pending<SyncAnswer> | null = null;
  private askedMs = 0;
  private readonly world: World;

  constructor(world: World, name: string, instanceId: string | null, startMs: number) {
    this.world = world;
    this.name = name;
    this.instanceId = instanceId;
    this.nextActMs = startMs;
  }

  act(): void {
    const { world } = this;
    if (this.phase === 'dead' || world.harness.nowMs < this.nextActMs) return;
    this.nextActMs = world.harness.nowMs + world.random.below(40);
    const isFree = this.phase === 'idle' || (this.phase === 'working' && world.harness.nowMs >= this.workUntilMs);
    if (isFree) this.sendJoin();
    else if (this.phase === 'joining') this.hearJoin();
    else if (this.phase === 'syncing') this.hearSync();
    if ((this.phase === 'stable' || this.phase === 'working') && world.harness.nowMs >= this.nextHeartbeatMs) this.beat();
  }

  /** The connection broke: what it waits for never comes. */
  loseConnection(): void {
    this.join = null;
    this.sync = null;
  }

  private get identity() {
    return { memberId: this.memberId, groupInstanceId: this.instanceId };
  }

  private sendJoin(): void {
    const { options } = this.world;
    this.phase = 'joining';
    this.askedMs = this.world.harness.nowMs;
    this.join = this.world.harness.join({
      ...JOIN,
      ...this.identity,
      clientId: this.name,
      uniqueId: `${this.world.nextUnique++}`,
      sessionTimeoutMs: options.sessionTimeoutMs,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs,
      protocols: [{ name: 'range', metadata: subscription('topic') }],
    });
  }

  private hearJoin(): void {
    const answer = this.join?.answers[0];
    if (answer === undefined) {
      // Clients give a rebalance its timeout and five seconds more.
      if (this.world.harness.nowMs - this.askedMs > this.world.options.rebalanceTimeoutMs + 5000) this.phase = 'idle';
      return;
    }
    this.join = null;
    this.memberId = answer.memberId === '' ? this.memberId : answer.memberId;
    if (answer.errorCode !== 0) return this.onError(answer.errorCode);
    this.generationId = answer.generationId;
    this.world.onGeneration(answer.generationId);
    const assignments =
      answer.leader === this.memberId && !answer.skipAssignment
        ? answer.members.map(({ memberId }, index) => ({ memberId, assignment: partitionsOf(index, answer.members.length) }))
        : [];
    this.phase = 'syncing';
    this.askedMs = this.world.harness.nowMs;
    this.sync = this.world.harness.sync({ ...this.identity, generationId: this.generationId, assignments });
  }

  private hearSync(): void {
    const answer = this.sync?.answers[0];
    if (answer === undefined) {
      if (this.world.harness.nowMs - this.askedMs > this.world.options.rebalanceTimeoutMs + 5000) this.phase = 'idle';
      return;
    }
    this.sync = null;
    if (answer.errorCode !== 0) return this.onError(answer.errorCode);
    this.assignment = [...answer.assignment];
    this.phase = 'stable';
    this.nextHeartbeatMs = this.world.harness.nowMs + HEARTBEAT_MS;
  }

  private beat(): void {
    const { harness } = this.world;
    this.nextHeartbeatMs = harness.nowMs + HEARTBEAT_MS;
    const code = harness.heartbeat(this.memberId, this.generationId, this.instanceId);
    if (code === 0) this.world.commit(this.assignment, { ...this.identity, generationId: this.generationId });
    else if (this.phase === 'stable' || code !== ErrorCode.REBALANCE_IN_PROGRESS) this.onError(code);
  }

  private onError(code: number): void {
    const { world } = this;
    switch (code) {
      case ErrorCode.MEMBER_ID_REQUIRED:
        this.phase = 'idle';
        return;
      case ErrorCode.REBALANCE_IN_PROGRESS:
        // It finishes its batch first, and beats meanwhile.
        this.phase = 'working';
        this.workUntilMs = world.harness.nowMs + world.random.below(world.options.workMsMax + 1);
        return;
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.ILLEGAL_GENERATION:
        this.memberId = code === ErrorCode.UNKNOWN_MEMBER_ID ? '' : this.memberId;
        this.phase = 'idle';
        return;
      case ErrorCode.NOT_COORDINATOR:
      case ErrorCode.COORDINATOR_NOT_AVAILABLE:
        this.phase = 'idle';
        this.nextActMs = world.harness.nowMs + 100;
        return;
      case ErrorCode.FENCED_INSTANCE_ID:
        this.phase = 'dead';
        return;
      default:
        throw new Error(`${this.name} does not know what to do on error ${code}`);
    }
  }
}

/** Partitions of the n-th of `count` members, as the bytes of its assignment. */
function partitionsOf(index: number, count: number): Uint8Array {
  return Uint8Array.from(
    Array.from({ length: PARTITIONS }, (_, partition) => partition).filter((partition) => partition % count === index),
  );
}

/** See the file header. */
export class World {
  readonly options: WorldOptions;
  readonly random: Prng;
  readonly harness = new CoordinatorHarness();
  readonly consumers: Consumer[] = [];
  /** Highest generation that somebody was told of; the coordinator may go back over a restart, but not below what was stored. */
  generations = 0;
  nextUnique = 1;
  restarts = 0;
  private nextOffset = 1;
  private readonly acknowledged = new Map<number, number>();
  private readonly commits: { partitions: readonly number[]; offset: number; answer: Pending<{ errorCodes: readonly number[] }> }[] = [];

  constructor(options: WorldOptions) {
    this.options = options;
    this.random = new Prng(options.seed);
    for (let index = 0; index < options.members; index++) {
      const instanceId = this.random.chance(0.2) ? `i${index}` : null;
      this.consumers.push(new Consumer(this, `c${index}`, instanceId, this.random.below(options.startMsMax)));
    }
  }

  onGeneration(generationId: number): void {
    this.generations = Math.max(this.generations, generationId);
  }

  /** A member commits for what it was assigned. */
  commit(partitions: readonly number[], identity: object): void {
    if (partitions.length === 0) return;
    const offset = this.nextOffset++;
    const request = partitions.map((partition) => ({
      topic: 'topic',
      partition,
      offset: BigInt(offset),
      leaderEpoch: -1,
      metadata: '',
      commitTimestampMs: -1,
    }));
    this.commits.push({ partitions, offset, answer: this.harness.commit(0, { ...identity, partitions: request }) });
  }

  /** Time passes for everybody. */
  run(ms: number, trouble = false): void {
    for (const end = this.harness.nowMs + ms; this.harness.nowMs < end;) {
      this.harness.advance(TICK_MS);
      if (trouble) this.trouble();
      else if (this.harness.held.length > 0) this.harness.releaseAll();
      for (const consumer of this.consumers) consumer.act();
      this.check();
    }
  }

  /** The disk takes its time and fails; with faults, members and the coordinator do, too. */
  private trouble(): void {
    const { random, harness } = this;
    harness.holdWrites = true;
    if (harness.held.length > 0 && random.chance(0.3)) {
      if (this.options.faults && random.chance(0.02)) harness.release(ErrorCode.KAFKA_STORAGE_ERROR);
      else harness.releaseAll();
    }
    if (!this.options.faults) return;
    if (random.chance(0.0005)) this.restart();
    if (random.chance(0.001)) random.pick(this.consumers).loseConnection();
    if (random.chance(0.001)) this.replace(random.below(this.consumers.length));
  }

  private restart(): void {
    this.restarts++;
    this.harness.restart();
    this.commits.length = 0;
    for (const consumer of this.consumers) consumer.loseConnection();
  }

  /** A member dies, and one like it starts. */
  private replace(index: number): void {
    const old = this.consumers[index]!;
    old.phase = 'dead';
    const startMs = this.harness.nowMs + this.random.below(5000);
    this.consumers[index] = new Consumer(this, `${old.name}'`, old.instanceId, startMs);
  }

  private check(): void {
    for (const commit of this.commits.splice(0)) {
      if (!commit.answer.isAnswered) this.commits.push(commit);
      else if (commit.answer.value.errorCodes[0] === 0)
        for (const partition of commit.partitions)
          this.acknowledged.set(partition, Math.max(commit.offset, this.acknowledged.get(partition) ?? 0));
    }
    for (const [partition, offset] of this.acknowledged) {
      const shown = this.harness.offset('topic', partition) ?? 0;
      if (shown < offset) throw new Error(`partition ${partition}: offset ${offset} was acknowledged and ${shown} is shown`);
    }
  }

  /** What is wrong with a group in which everybody should be at work, or null. */
  unsettled(): string | null {
    const group = this.harness.machine.describe('group');
    if (group?.state !== 'Stable') return `the group is ${group?.state ?? 'not there'}`;
    const owners = new Map<number, string>();
    for (const consumer of this.consumers) {
      if (consumer.phase !== 'stable') return `${consumer.name} is ${consumer.phase}`;
      if (consumer.generationId !== group.generation) return `${consumer.name} is in generation ${consumer.generationId}`;
      for (const partition of consumer.assignment) {
        const other = owners.get(partition);
        if (other !== undefined) return `${consumer.name} and ${other} have partition ${partition}`;
        owners.set(partition, consumer.name);
      }
    }
    if (group.members.length !== this.consumers.length) return `${group.members.length} members of ${this.consumers.length}`;
    return owners.size === PARTITIONS ? null : `${owners.size} partitions of ${PARTITIONS} are assigned`;
  }

  get acknowledgedCount(): number {
    return this.acknowledged.size;
  }
}
