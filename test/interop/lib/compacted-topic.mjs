/**
 * A topic that was compacted: most offsets are gaps. Each client reads it from the beginning as a member of a group (lib/group-of-three.mjs), and has to get exactly what is
 * left, in order. It is made once for a broker, by our own command line.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { must } from './command.mjs';
import { Member, until } from './group-of-three.mjs';
import { root } from './places.mjs';
import { fetchRecords } from './stored-batches.mjs';

const TOPIC = 'compacted';
const ROUNDS = 40;
const KEYS = 50;
const VALUE_CHARS = 200;
const SETTINGS = { 'cleanup.policy': 'compact', 'segment.bytes': '1048576', 'min.cleanable.dirty.ratio': '0.01', 'segment.ms': '1000' };
const TIME_MS_MAX = 60_000;
const STILL_MS = 3000;

/** Broker → what is left, as soon as it is known. @type {WeakMap<object, Promise<{ left: number, sent: number }>>} */
const made = new WeakMap();

const ringlog = (broker, stdin, ...args) =>
  must(process.execPath, [join(root, 'dist', 'bin.js'), ...args, '--bootstrap', broker.address], { stdin });

/** How many records the partition still has; a fetch ends where a segment does. */
async function recordsOf(broker) {
  let records = 0;
  for (let offset = 0; ;) {
    const bytes = await fetchRecords({ port: broker.port, topic: TOPIC, offset });
    if (bytes.length === 0) return records;
    for (let start = 0; start < bytes.length; start += 12 + bytes.readInt32BE(start + 8)) {
      records += bytes.readInt32BE(start + 57);
      offset = Number(bytes.readBigInt64BE(start)) + bytes.readInt32BE(start + 23) + 1;
    }
  }
}

async function make(broker) {
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  await ringlog(broker, '', 'topic', 'create', TOPIC, '--partitions', '1', ...settings);
  const lineOf = (round, key) => `key ${key}|round ${round} ${'x'.repeat(VALUE_CHARS)}\n`;
  const lines = Array.from({ length: ROUNDS * KEYS }, (_, n) => lineOf(Math.floor(n / KEYS), n % KEYS));
  await ringlog(broker, lines.join(''), 'produce', TOPIC, '--key-separator', '|');
  // The segment that is written to is never compacted; one more record, later, begins a new one.
  await sleep(Number(SETTINGS['segment.ms']) + 200);
  await ringlog(broker, lineOf('last', 'last'), 'produce', TOPIC, '--key-separator', '|');
  const sent = lines.length + 1;
  let left = sent;
  for (let stillMs = 0, endMs = Date.now() + TIME_MS_MAX; left >= sent / 2 || stillMs < STILL_MS; stillMs += 500) {
    assert.ok(Date.now() < endMs, `${left} of ${sent} records are left: it was not compacted`);
    await sleep(500);
    const now = await recordsOf(broker);
    if (now !== left) stillMs = 0;
    left = now;
  }
  return { left, sent };
}

/** @param {{ command: string, args: (topic: string, group: string) => string[], env?: object, byTerm?: boolean }} member how a member is started */
export async function checkCompacted(report, client, broker, member) {
  await report.check(client, 'compacted', 'from the beginning, over the gaps that compaction left', async () => {
    if (!made.has(broker)) made.set(broker, make(broker));
    const { left, sent } = await made.get(broker);
    const reader = new Member(member, TOPIC, `${client}-compacted`);
    const offsets = () => reader.seen.get(0) ?? [];
    try {
      await until('the last record comes', () => offsets().at(-1) === sent - 1, [reader]);
      await reader.stop(member.byTerm);
    } finally {
      reader.child.kill('SIGKILL');
    }
    assert.equal(offsets().length, left, 'records came back');
    assert.ok(
      offsets().every((offset, index, all) => index === 0 || offset > all[index - 1]),
      'the offsets are not in order',
    );
    return `${left} records are left of ${sent}`;
  });
}
