/**
 * Consumer groups, checked of every JavaScript client in the same way. Beside what common-checks.mjs says, the client has:
 *
 *   join(topic, group, { from, instance, clientId, autocommit, assignor, onRecord })   from: 'beginning' or 'end', where nothing is committed; onRecord({ partition, offset, value });
 *                                        resolves, once it is a member, with { pause(), resume(), commit(offset), seek(offset) if it can, leave() }, those of partition 0
 *   committed(group, topic)              the offset of partition 0, -1 if there is none
 *   listGroups()                         names
 *   describe(group)                      { state, members: [client id] }
 *   deleteGroup(group), setOffset(group, topic, offset)
 *   hasSeek, hasStaticMembers            a member of the latter has isFenced()
 */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { refused, texts } from './checks.mjs';

const COUNT = 1000;
const TIME_MS_MAX = 60_000;
/** Longer than the session of a member. */
const PAUSE_MS = 8000;

const range = (from, to) => Array.from({ length: to - from }, (_, n) => from + n);

async function until(what, holds) {
  for (const endMs = Date.now() + TIME_MS_MAX; !(await holds()); await sleep(50)) assert.ok(Date.now() < endMs, `${what}: not in time`);
}

async function numbered(client) {
  const topic = await client.topic(1);
  await client.produce(
    topic,
    texts(COUNT).map((value) => ({ value, partition: 0 })),
  );
  return topic;
}

/** A member with the offsets it has got. */
async function join(client, topic, group, options) {
  const got = [];
  const member = await client.join(topic, group, {
    from: 'beginning',
    autocommit: false,
    onRecord: ({ offset }) => got.push(offset),
    ...options,
  });
  return { got, take: (count) => until(`${count} records, ${got.length} so far`, () => got.length >= count), ...member };
}

export function addGroupChecks(checks, client, words) {
  const group = (name) => `${client.name}-${name}`;
  checks.add('from-beginning', 'a group without offsets: from the beginning', async () => {
    const member = await join(client, await numbered(client), group('begins'));
    await member.take(COUNT);
    await member.leave();
    assert.deepEqual(member.got, range(0, COUNT));
  });
  checks.add('from-end', 'a group without offsets: only what comes later', async () => {
    const topic = await numbered(client);
    const member = await join(client, topic, group('ends'), { from: 'end' });
    // Where the end is it asks after it has joined.
    await until('something came', async () => {
      if (member.got.length === 0) await client.produce(topic, [{ value: Buffer.from('later'), partition: 0 }]);
      return member.got.length > 0;
    });
    await member.leave();
    assert.ok(member.got[0] >= COUNT, String(member.got[0]));
  });
  if (client.hasSeek)
    checks.add('seek', 'a member of a group: back and forth', async () => {
      const member = await join(client, await numbered(client), group('seeks'));
      await member.take(COUNT);
      for (const offset of [COUNT - 10, 3]) {
        member.got.length = 0;
        member.seek(offset);
        await member.take(COUNT - offset);
        assert.deepEqual(member.got, range(offset, COUNT));
      }
      await member.leave();
    });
  checks.add('group-commits', 'an offset, read back; the next member goes on there', async () => {
    const topic = await numbered(client);
    const first = await join(client, topic, group('commits'));
    await first.take(COUNT);
    assert.equal(await client.committed(group('commits'), topic), -1);
    await first.commit(100);
    assert.equal(await client.committed(group('commits'), topic), 100);
    await first.leave();
    const second = await join(client, topic, group('commits'));
    await second.take(COUNT - 100);
    await second.leave();
    assert.deepEqual(second.got, range(100, COUNT));
  });
  checks.add('group-commits', 'by itself, as it goes', async () => {
    const topic = await numbered(client);
    const member = await join(client, topic, group('commits-itself'), { autocommit: true });
    await member.take(COUNT);
    await until('all is committed', async () => (await client.committed(group('commits-itself'), topic)) === COUNT);
    await member.leave();
  });
  checks.add('group-pause', 'what is paused does not come, for longer than a session, and goes on where it was', async () => {
    const topic = await numbered(client);
    const member = await join(client, topic, group('pauses'));
    await member.take(COUNT);
    member.pause();
    await client.produce(
      topic,
      texts(10).map((value) => ({ value, partition: 0 })),
    );
    await sleep(PAUSE_MS);
    assert.equal(member.got.length, COUNT);
    assert.equal((await client.describe(group('pauses'))).state, 'Stable');
    member.resume();
    await member.take(COUNT + 10);
    await member.leave();
    assert.deepEqual(member.got, range(0, COUNT + 10));
  });
  if (client.hasStaticMembers)
    checks.add('static-members', 'the next one with its name takes over, and both are one member', async () => {
      const topic = await numbered(client);
      const first = await join(client, topic, group('static'), { instance: 'one' });
      await first.take(COUNT);
      const second = await join(client, topic, group('static'), { instance: 'one' });
      await second.take(COUNT);
      await until('the first has heard of it', () => first.isFenced());
      assert.equal((await client.describe(group('static'))).members.length, 1);
      await Promise.all([first.leave().catch(() => undefined), second.leave()]);
    });
  checks.add('list-groups', 'listed; described with its members', async () => {
    const topic = await numbered(client);
    const member = await join(client, topic, group('described'), { clientId: 'somebody' });
    await member.take(COUNT);
    assert.ok((await client.listGroups()).includes(group('described')));
    assert.deepEqual(await client.describe(group('described')), { state: 'Stable', members: ['somebody'] });
    await member.leave();
    assert.deepEqual(await client.describe(group('described')), { state: 'Empty', members: [] });
  });
  checks.add('delete-groups', 'not while it has members; then with its offsets; a second time it is not there', async () => {
    const topic = await numbered(client);
    const member = await join(client, topic, group('deleted'));
    await member.take(COUNT);
    await member.commit(10);
    await refused(() => client.deleteGroup(group('deleted')), words.notEmpty);
    await member.leave();
    await client.deleteGroup(group('deleted'));
    await refused(() => client.deleteGroup(group('deleted')), words.noGroup);
    assert.equal(await client.committed(group('deleted'), topic), -1);
  });
  checks.add('group-offsets', 'set where nobody is in the group: the next member begins there', async () => {
    const topic = await numbered(client);
    await client.setOffset(group('altered'), topic, 900);
    assert.equal(await client.committed(group('altered'), topic), 900);
    const member = await join(client, topic, group('altered'));
    await member.take(100);
    await member.leave();
    assert.deepEqual(member.got, range(900, COUNT));
  });
}

/** Mode `member`: prints `PARTITION OFFSET` of all it gets, and leaves when its stdin ends. */
export async function runMember(client, topic, group, assignor) {
  const stdinEnds = new Promise((resolve) => process.stdin.on('end', resolve).resume());
  const onRecord = ({ partition, offset }) => process.stdout.write(`${partition} ${offset}\n`);
  const member = await client.join(topic, group, { from: 'beginning', autocommit: true, assignor, onRecord });
  await stdinEnds;
  await member.leave();
}
