/**
 * A consumer group of three of one client over six partitions, while records keep coming: one member is killed and does not say so, a fourth joins, and in the end all
 * stop as they should. Every record has to be seen by somebody, and whoever comes afterwards goes on where they stopped.
 *
 * A member is a process that consumes from the beginning where nothing is committed, commits by itself, and prints `PARTITION OFFSET` for every record it gets; its
 * session timeout is 6 s, the shortest a broker allows. It leaves when its stdin ends, or at SIGTERM.
 */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectClient } from '../../../perf/lib/client.mjs';
import { explain, LATER, start } from './command.mjs';

const PARTITIONS = 6;
const BEFORE = 50;
const AFTER = 20;
const TIME_MS_MAX = 60_000;
const EVERY_MS = 20;
/** What Java ends with, after all that has to be done at the end. */
const ENDED_BY_TERM = 143;
/** The console consumer has words for both. */
const LINE = /^(?:Partition:)?(\d+)[ \t](?:Offset:)?(\d+)$/;

export class Member {
  /** partition → the offsets it has got, again when it has got one again. @type {Map<number, number[]>} */
  seen = new Map();
  /** Partitions with records since this was emptied last. @type {Set<number>} */
  recent = new Set();
  #rest = '';

  constructor({ command, args, env }, topic, group) {
    const onStdout = (chunk) => this.#take(chunk.toString());
    Object.assign(this, start(command, args(topic, group), { env, stdin: LATER, onStdout, timeoutMs: 2 * TIME_MS_MAX }));
  }

  kill() {
    this.child.kill('SIGKILL');
    return this.ended;
  }

  /** It leaves the group, and has committed all it got. */
  async stop(byTerm) {
    if (byTerm) this.child.kill('SIGTERM');
    this.child.stdin.end();
    const end = await this.ended;
    assert.ok(end.code === 0 || (byTerm && end.code === ENDED_BY_TERM), explain(end));
  }

  #take(text) {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop();
    for (const line of lines) {
      const [, partition, offset] = LINE.exec(line) ?? [];
      if (offset === undefined) continue;
      if (!this.seen.has(Number(partition))) this.seen.set(Number(partition), []);
      this.seen.get(Number(partition)).push(Number(offset));
      this.recent.add(Number(partition));
    }
  }
}

export async function until(what, holds, members) {
  for (const endMs = Date.now() + TIME_MS_MAX; !holds(); await sleep(50)) {
    if (Date.now() < endMs && members.every(({ child }) => child.exitCode === null)) continue;
    for (const { child } of members) child.kill('SIGKILL');
    const ends = await Promise.all(members.map(({ ended }) => ended));
    throw new Error(
      `${what}: not in time; ${members.map(({ seen }) => JSON.stringify([...seen.keys()])).join(' ')}\n${ends.map(explain).join('\n')}`,
    );
  }
}

/** How many of the offsets `from` … `to` - 1 of all partitions none of the members has got. */
function missing(members, from, to) {
  let count = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const seen = new Set(members.flatMap((member) => member.seen.get(partition) ?? []));
    for (let offset = from; offset < to; offset++) if (!seen.has(offset)) count++;
  }
  return count;
}

/** @param {{ command: string, args: (topic: string, group: string) => string[], env?: object, byTerm?: boolean, feature?: string }} member how a member is started, whether it is stopped by SIGTERM, and the row that the group speaks for */
export async function checkGroupOfThree(report, client, broker, member) {
  const feature = member.feature ?? 'groups';
  const topic = `${client}-${feature}-of-three`;
  const group = `${client}-${feature}`;
  const source = await connectClient(broker.port);
  const sent = { rounds: 0, going: true };
  const produce = async () => {
    assert.equal(await source.produceEach(topic, 0, PARTITIONS), 0, 'a record was refused');
    sent.rounds++;
  };
  const started = [];
  const join = () => {
    started.push(new Member(member, topic, group));
    return started.at(-1);
  };
  try {
    await report.check(
      client,
      feature,
      'three members, one killed and one joining, while records keep coming: every record is seen',
      async () => {
        assert.equal(await source.createTopic(topic, {}, PARTITIONS), 0);
        for (let round = 0; round < BEFORE; round++) await produce();
        const coming = (async () => {
          while (sent.going) {
            await produce();
            await sleep(EVERY_MS);
          }
        })();
        const first = [join(), join(), join()];
        await until('each has a partition', () => first.every(({ recent }) => recent.size > 0), first);
        const killed = first.pop();
        await killed.kill();
        const rest = [...first, join()];
        for (const each of rest) each.recent.clear();
        // Old records may be on their way to one that gives up its partition; new ones tell.
        const owned = () => new Set(rest.flatMap(({ recent }) => [...recent]));
        await until('the others take over', () => owned().size === PARTITIONS && rest.every(({ recent }) => recent.size > 0), rest);
        sent.going = false;
        await coming;
        await until('the last records come', () => missing(started, 0, sent.rounds) === 0, rest);
        await Promise.all(rest.map((each) => each.stop(member.byTerm)));
        return `${PARTITIONS * sent.rounds} records`;
      },
    );
    await report.check(
      client,
      feature === 'groups' ? 'group-commits' : feature,
      'who comes later goes on where the others stopped',
      async () => {
        for (let round = 0; round < AFTER; round++) await produce();
        const later = join();
        await until('the new records come', () => missing([later], sent.rounds - AFTER, sent.rounds) === 0, [later]);
        await later.stop(member.byTerm);
        const old = [...later.seen.values()].flat().filter((offset) => offset < sent.rounds - AFTER);
        assert.equal(old.length, 0, `${old.length} records a second time, of what was committed`);
      },
    );
  } finally {
    sent.going = false;
    for (const { child } of started) child.kill('SIGKILL');
    source.close();
  }
}
