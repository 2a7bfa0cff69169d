// Members of consumer groups as a load: one connection each, old non-flexible versions, frames made once and sent again and again.
import { open } from './crowd.mjs';
import { request } from './client.mjs';

const int16 = (value) => ((b) => (b.writeInt16BE(value), b))(Buffer.alloc(2));
const int32 = (value) => ((b) => (b.writeInt32BE(value), b))(Buffer.alloc(4));
const string = (text) => Buffer.concat([int16(Buffer.byteLength(text)), Buffer.from(text)]);
const bytes = (value) => Buffer.concat([int32(value.length), value]);
const SESSION_MS = 30_000;
/** Members that connect at the same time: a listener's queue is not endless. */
const AT_ONCE = 200;

const findCoordinator = (groupId) => request(10, 0, string(groupId));
/** JoinGroup 2: no id has to be known before. */
function joinGroup(groupId, memberId, topic, rebalanceMs) {
  const subscription = Buffer.concat([int16(0), int32(1), string(topic), int32(-1)]);
  const protocols = Buffer.concat([int32(1), string('range'), bytes(subscription)]);
  return request(
    11,
    2,
    Buffer.concat([string(groupId), int32(SESSION_MS), int32(rebalanceMs), string(memberId), string('consumer'), protocols]),
  );
}
function syncGroup(groupId, generation, memberId, members) {
  const assignment = bytes(Buffer.alloc(30));
  const each = members.map((member) => Buffer.concat([string(member), assignment]));
  return request(14, 1, Buffer.concat([string(groupId), int32(generation), string(memberId), int32(each.length), ...each]));
}
const heartbeat = (groupId, generation, memberId) => request(12, 1, Buffer.concat([string(groupId), int32(generation), string(memberId)]));
function offsetCommit(groupId, generation, memberId, topic, partition) {
  const offset = Buffer.alloc(8);
  const head = Buffer.concat([string(groupId), int32(generation), string(memberId), Buffer.alloc(8, 0xff)]);
  return request(8, 2, Buffer.concat([head, int32(1), string(topic), int32(1), int32(partition), offset, string('')]));
}

/** Answer of JoinGroup 2. */
function joined(answer) {
  let at = 4;
  const text = () => {
    const length = answer.readInt16BE(at);
    at += 2 + length;
    return answer.toString('utf8', at - length, at);
  };
  const error = answer.readInt16BE(at);
  const generation = answer.readInt32BE(at + 2);
  at += 6;
  text();
  const leader = text();
  const memberId = text();
  const members = [];
  const count = answer.readInt32BE(at);
  at += 4;
  for (let index = 0; index < count; index++) {
    members.push(text());
    at += 4 + answer.readInt32BE(at);
  }
  return { error, generation, leader, memberId, members };
}

/** Runs something for all members, some of them at a time. */
export async function inTurns(members, run) {
  for (let at = 0; at < members.length; at += AT_ONCE) await Promise.all(members.slice(at, at + AT_ONCE).map(run));
}

/** One member on a connection of its own. */
export class Member {
  #socket;
  #received = Buffer.alloc(0);
  #waiting = [];

  constructor(groupId, topic, partition = 0) {
    this.groupId = groupId;
    this.topic = topic;
    this.partition = partition;
    this.memberId = '';
    this.generation = -1;
  }

  async connect(port) {
    const { socket } = await open(port);
    this.#socket = socket;
    socket.on('data', (data) => this.#onData(data));
    socket.on('close', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`the connection of a member of ${this.groupId} was closed`));
    });
  }

  #onData(data) {
    this.#received = this.#received.length === 0 ? data : Buffer.concat([this.#received, data]);
    while (this.#received.length >= 4) {
      const size = this.#received.readInt32BE(0);
      if (this.#received.length < 4 + size) return;
      const answer = this.#received.subarray(8, 4 + size);
      this.#received = this.#received.subarray(4 + size);
      this.#waiting.shift()?.resolve(answer);
    }
  }

  ask(frame) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(frame);
    });
  }

  /** Resolves once there is a coordinator that has loaded the group. */
  async find() {
    for (;;) {
      const error = (await this.ask(findCoordinator(this.groupId))).readInt16BE(0);
      if (error === 0) return;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Joins and syncs until it is at work. */
  async settle(rebalanceMs = 60_000) {
    for (;;) {
      const answer = joined(await this.ask(joinGroup(this.groupId, this.memberId, this.topic, rebalanceMs)));
      if (answer.error === 25) this.memberId = '';
      if (answer.error === 14 || answer.error === 15 || answer.error === 16) await new Promise((resolve) => setTimeout(resolve, 50));
      if (answer.error !== 0) continue;
      this.memberId = answer.memberId;
      this.generation = answer.generation;
      const sync = await this.ask(syncGroup(this.groupId, this.generation, this.memberId, answer.members));
      if (sync.readInt16BE(4) === 0) break;
    }
    this.heartbeatFrame = heartbeat(this.groupId, this.generation, this.memberId);
    this.commitFrame = offsetCommit(this.groupId, this.generation, this.memberId, this.topic, this.partition);
  }

  /** Resolves with the code. */
  async beat() {
    return (await this.ask(this.heartbeatFrame)).readInt16BE(4);
  }

  /** Commits one offset; resolves with the code. */
  async commit() {
    // Behind a count, the topic, a count and the number of the partition.
    return (await this.ask(this.commitFrame)).readInt16BE(4 + 2 + Buffer.byteLength(this.topic) + 4 + 4);
  }

  close() {
    this.#socket?.destroy();
  }
}
