/** The group machine against a small model: random members, commits, failures and restarts, with Kafka's promises read out loud after every step. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { JoinAnswer, SyncAnswer } from '../../../src/coordinator/group-requests.ts';
import { ErrorCode } from '../../../src/protocol/errors.ts';
import { CoordinatorHarness, subscription, survivors, type Pending } from '../../support/coordinator-harness.ts';

interface Step {
  readonly kind: (typeof KINDS)[number];
  /** Picks a client, a partition, a time; each kind takes what it needs. */
  readonly pick: number;
}

const KINDS = [
  ...[
    'round',
    'round',
    'round',
    'join',
    'join',
    'join',
    'sync',
    'sync',
    'sync',
    'heartbeat',
    'commit',
    'commit',
    'oldCommit',
    'outsideCommit',
  ],
  ...[
    'leave',
    'crash',
    'rejoinOther',
    'fenced',
    'wait',
    'waitLong',
    'hold',
    'release',
    'fail',
    'restart',
    'deleteOffsets',
    'deleteGroup',
    'expire',
  ],
] as const;

/** Second byte of the keys of groups. */
const GROUP_KEY = 2;
const CLIENTS = 5;
const PARTITIONS = 3;

/** A consumer as the model sees it; 0 and 1 are static. */
class Client {
  readonly instanceId: string | null;
  memberId = '';
  generationId = -1;
  join: Pending<JoinAnswer> | null = null;
  sync: Pending<SyncAnswer> | null = null;
  /** What it is told to assign to, if it leads. */
  leads: readonly string[] | null = null;
  topic = 'topic';

  constructor(index: number) {
    this.instanceId = index < 2 ? `i${index}` : null;
  }

  get identity() {
    return { memberId: this.memberId, groupInstanceId: this.instanceId };
  }
}

class Run {
  readonly harness = new CoordinatorHarness({ initialRebalanceDelayMs: 500, offsetsRetentionMs: 100_000 });
  readonly clients = Array.from({ length: CLIENTS }, (_, index) => new Client(index));
  /** Former ids of static members whose instance id is somebody else's now. */
  readonly fenced: { memberId: string; groupInstanceId: string }[] = [];
  /** Assignments that were told to members, by generation. */
  readonly told = new Map<number, string>();
  /** The last commit of each partition that was answered with success, by its number. */
  readonly acknowledged = new Map<number, number>();
  /** The last one that was shown. */
  readonly shown = new Map<number, number>();
  readonly commits: { partition: number; number: number; answer: Pending<{ errorCodes: readonly number[] }> }[] = [];
  /** Records in the log when a write last failed: a static member may have a newer id than the log says, until the group is stored again. */
  failedAt = -1;
  nextNumber = 1;
  generation = 0;
  syncs = 0;
  /** Generations that somebody was assigned in. */
  assigned = 0;

  do({ kind, pick }: Step): void {
    const { harness } = this;
    const client = this.clients[pick % CLIENTS]!;
    const partition = pick % PARTITIONS;
    const { memberId, generationId } = client;
    switch (kind) {
      case 'join':
        return this.join(client);
      case 'rejoinOther':
        client.topic = client.topic === 'topic' ? 'other' : 'topic';
        return this.join(client);
      case 'round':
        return this.round(1 + (pick % CLIENTS));
      case 'sync':
        return this.sync(client);
      case 'heartbeat':
        harness.heartbeat(memberId, generationId, client.instanceId);
        return;
      case 'commit':
        return this.commit(partition, { ...client.identity, generationId });
      case 'oldCommit':
        return this.refusedCommit({ ...client.identity, generationId: Math.max(0, this.generation - 1 - (pick % 2)) });
      case 'outsideCommit':
        return this.commit(partition, {});
      case 'leave':
        harness.leave(client.identity);
        return;
      case 'crash':
        this.clients[pick % CLIENTS] = new Client(pick % CLIENTS);
        if (client.instanceId !== null && memberId !== '') this.clients[pick % CLIENTS]!.topic = client.topic;
        return;
      case 'fenced':
        return this.tryFenced(pick);
      case 'wait':
        return harness.advance(50 + (pick % 2000));
      case 'waitLong':
        return harness.advance(5000 + (pick % 10_000));
      case 'hold':
        harness.holdWrites = true;
        return;
      case 'release':
        harness.holdWrites = false;
        return harness.releaseAll();
      case 'fail':
        if (harness.held.length === 0) return;
        this.failedAt = harness.log.length;
        return harness.release(ErrorCode.KAFKA_STORAGE_ERROR);
      case 'restart':
        harness.restart();
        // Nobody is told: the connections are gone.
        for (const other of this.clients) other.join = other.sync = null;
        this.commits.length = 0;
        return;
      case 'deleteOffsets':
        this.settle();
        harness.deleteOffsets([{ topic: 'topic', partition }]);
        return this.forgetUnless(partition);
      case 'deleteGroup':
        this.settle();
        // Whoever joins meanwhile goes on, but nothing of what was stored counts any more.
        if (harness.deleteGroup().value === 0) this.told.clear();
        return this.forgetMissing();
      case 'expire':
        this.settle();
        harness.expire();
        return this.forgetMissing();
    }
  }

  /** Some of the clients get through a rebalance, as far as the others and the disk let them. */
  private round(count: number): void {
    const clients = this.clients.slice(0, count);
    for (let again = 0; again < 2; again++) {
      for (const client of clients) if (client.join === null) this.join(client);
      this.listen();
    }
    this.harness.advance(1200);
    this.listen();
    for (const client of clients) if (client.generationId !== -1) this.sync(client);
  }

  /** What is on its way arrives, and clients hear of it. */
  private settle(): void {
    this.harness.holdWrites = false;
    this.harness.releaseAll();
    this.listen();
  }

  private join(client: Client): void {
    const request = {
      memberId: client.memberId,
      groupInstanceId: client.instanceId,
      sessionTimeoutMs: 6000,
      rebalanceTimeoutMs: 4000,
      protocols: [{ name: 'range', metadata: subscription(client.topic) }],
    };
    const before = client.instanceId === null ? undefined : this.currentId(client.instanceId);
    client.join = this.harness.join(request);
    client.leads = null;
    if (client.memberId === '' && client.instanceId !== null && before !== undefined)
      this.fenced.push({ memberId: before, groupInstanceId: client.instanceId });
  }

  private currentId(instanceId: string): string | undefined {
    return this.harness.machine.describe('group')?.members.find((member) => member.groupInstanceId === instanceId)?.memberId;
  }

  private sync(client: Client): void {
    const { generationId } = client;
    const nonce = `${this.syncs++}`;
    const assignments = (client.leads ?? []).map((memberId) => ({ memberId, assignment: Buffer.from(`${nonce} ${memberId}`) }));
    client.sync = this.harness.sync({ ...client.identity, generationId, assignments });
  }

  private commit(partition: number, identity: object): void {
    const number = this.nextNumber++;
    this.commits.push({ partition, number, answer: this.harness.commit(number, identity, 'topic', partition) });
  }

  /** Commits of a generation that is over are refused, whoever sends them, and no write begins. */
  private refusedCommit(identity: { generationId: number }): void {
    const generation = this.harness.machine.describe('group')?.generation;
    if (identity.generationId === generation) return;
    const held = this.harness.held.length;
    const log = this.harness.log.length;
    expect(this.harness.commit(this.nextNumber++, identity).value.errorCodes[0]).not.toBe(0);
    expect([this.harness.held.length, this.harness.log.length]).toEqual([held, log]);
  }

  /** A member whose instance id belongs to somebody else can do nothing. */
  private tryFenced(pick: number): void {
    const old = this.fenced[pick % Math.max(1, this.fenced.length)];
    if (old === undefined || this.currentId(old.groupInstanceId) === old.memberId) return;
    const { harness } = this;
    const generationId = harness.machine.describe('group')?.generation ?? 0;
    const held = harness.held.length;
    const log = harness.log.length;
    const state = harness.state();
    const codes = [
      harness.heartbeat(old.memberId, generationId, old.groupInstanceId),
      harness.sync({ ...old, generationId }).value.errorCode,
      harness.join({ ...old, sessionTimeoutMs: 6000 }).value.errorCode,
      harness.commit(this.nextNumber++, { ...old, generationId }).value.errorCodes[0],
      harness.leave(old).members[0]!.errorCode,
    ];
    expect(codes).not.toContain(0);
    expect([harness.held.length, harness.log.length, harness.state()]).toEqual([held, log, state]);
  }

  private forgetUnless(partition: number): void {
    if (this.harness.offset('topic', partition) !== undefined) return;
    this.acknowledged.delete(partition);
    this.shown.delete(partition);
  }

  private forgetMissing(): void {
    for (let partition = 0; partition < PARTITIONS; partition++) this.forgetUnless(partition);
    if (this.harness.machine.describe('group') === undefined) {
      this.generation = 0;
      this.told.clear();
    }
  }

  /** Clients read their answers. */
  listen(): void {
    for (const client of this.clients) {
      const joined = client.join?.answers[0];
      if (joined !== undefined) {
        client.join = null;
        this.onJoined(client, joined);
      }
      const synced = client.sync?.answers[0];
      if (synced !== undefined) {
        client.sync = null;
        if (synced.errorCode === 0) this.onAssigned(client, synced);
      }
    }
    for (const commit of this.commits.splice(0)) {
      if (!commit.answer.isAnswered) this.commits.push(commit);
      else if (commit.answer.value.errorCodes[0] === 0)
        this.acknowledged.set(commit.partition, Math.max(commit.number, this.acknowledged.get(commit.partition) ?? 0));
    }
  }

  private onJoined(client: Client, answer: JoinAnswer): void {
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) client.memberId = answer.memberId;
    else if (answer.errorCode === ErrorCode.UNKNOWN_MEMBER_ID || answer.errorCode === ErrorCode.FENCED_INSTANCE_ID) client.memberId = '';
    if (answer.errorCode !== 0) return;
    client.memberId = answer.memberId;
    client.generationId = answer.generationId;
    client.leads = answer.leader === answer.memberId && !answer.skipAssignment ? answer.members.map((member) => member.memberId) : null;
    // A leader is told everybody, and itself among them.
    if (client.leads !== null) expect(client.leads).toContain(answer.memberId);
  }

  /** Everybody of a generation hears of one and the same SyncGroup of its leader, and gets what that said for it. */
  private onAssigned(client: Client, answer: SyncAnswer): void {
    const text = Buffer.from(answer.assignment).toString();
    if (text === '') return;
    const [nonce, memberId] = text.split(' ') as [string, string];
    const said = this.told.get(client.generationId) ?? nonce;
    if (!this.told.has(client.generationId)) this.assigned++;
    this.told.set(client.generationId, said);
    expect(nonce).toBe(said);
    if (client.instanceId === null) expect(memberId).toBe(client.memberId);
    else expect(memberId).toMatch(new RegExp(`^${client.instanceId}-`));
  }

  /** Whether the group may know of a takeover that its log does not. */
  private get isAhead(): boolean {
    return this.failedAt !== -1 && !this.harness.log.slice(this.failedAt).some(({ key }) => key[1] === GROUP_KEY);
  }

  check(): void {
    const { harness } = this;
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const shown = harness.offset('topic', partition);
      // Nothing acknowledged is lost, and nothing that was shown goes back.
      expect(shown ?? 0).toBeGreaterThanOrEqual(this.acknowledged.get(partition) ?? 0);
      expect(shown ?? 0).toBeGreaterThanOrEqual(this.shown.get(partition) ?? 0);
      if (shown !== undefined) this.shown.set(partition, shown);
    }
    const group = harness.machine.describe('group');
    const stored = Math.max(0, ...this.told.keys());
    // Generations only go up; over a restart those that somebody was assigned in.
    expect(group?.generation ?? 0).toBeGreaterThanOrEqual(stored);
    this.generation = group?.generation ?? 0;
    const fresh = survivors(harness.freshCopy());
    for (const [groupId, live] of Object.entries(survivors(harness.machine)) as [string, { state?: string; offsets: string[] }][]) {
      if (live.state === 'Stable' && harness.held.length === 0 && !this.isAhead) expect(fresh[groupId]).toEqual(live);
      else expect((fresh[groupId] as { offsets: string[] } | undefined)?.offsets ?? []).toEqual(live.offsets);
    }
  }
}

const step = fc.record({ kind: fc.constantFrom(...KINDS), pick: fc.nat({ max: 100_000 }) });

test('whatever members, disks and restarts do, offsets and generations hold what was promised', () => {
  let assigned = 0;
  let acknowledged = 0;
  let fenced = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 40, maxLength: 160 }), (steps) => {
      const run = new Run();
      for (const each of steps) {
        run.do(each);
        run.listen();
        run.check();
      }
      assigned += run.assigned;
      acknowledged += run.acknowledged.size;
      fenced += run.fenced.length;
      // Whoever is left leaves; nothing of a deleted group is held.
      const { harness } = run;
      harness.holdWrites = false;
      harness.releaseAll();
      harness.advance(400_000);
      harness.deleteGroup();
      expect([...harness.machine.groupIds()]).toEqual([]);
      expect(harness.budget.bytes).toBe(0);
      expect([...harness.freshCopy().groupIds()]).toEqual([]);
    }),
    { numRuns: 300 },
  );
  // Runs in which nothing happens prove nothing.
  expect([assigned > 100, acknowledged > 100, fenced > 100]).toEqual([true, true, true]);
});
