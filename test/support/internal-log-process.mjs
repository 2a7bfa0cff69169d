/**
 * A broker of `dist/` that a test does not reach by a socket but by the log of its coordinators: what main itself appends and loads.
 *
 *   node internal-log-process.mjs <data folder> append    appends records for ever, a few per batch, many at a time; a line for each outcome:
 *                                                         {partition, name, count, errorCode, baseOffset}
 *   node internal-log-process.mjs <data folder> die       the same, and its shard dies soon; ends when the broker has: {waiting} appends were told nothing
 *   node internal-log-process.mjs <data folder> load      loads every partition; a line for each record {partition, offset, key, value} and each end
 *                                                         {partition, errorCode}, then stops cleanly
 *
 * Lines are written synchronously: what a killed process has said is there.
 */
import { writeSync } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';

const threads = createRequire(import.meta.url)('node:worker_threads');
const shards = [];
threads.Worker = class extends threads.Worker {
  constructor(...args) {
    super(...args);
    if (String(args[1]?.name).startsWith('shard')) shards.push(this);
  }
};
syncBuiltinESMExports();
const { Broker } = await import('../../build/broker.js');

const [dataDir, mode] = process.argv.slice(2);
const PARTITIONS = 4;
const AT_A_TIME = 64;
const OUTCOMES_BEFORE_DEATH = 300;

const say = (line) => writeSync(1, `${JSON.stringify(line)}\n`);
const broker = await Broker.start({
  dataDir,
  port: 0,
  settings: {
    'offsets.topic.num.partitions': PARTITIONS,
    'ringlog.log.level': 'error',
    'ringlog.journal.file.bytes': 1048576,
    'ringlog.reference.bytes.min': 65536,
  },
});
const { offsetsLog: log } = broker;
if ((await log.ensure()) !== 0) throw new Error('the topic was not created');

let waiting = 0;
let outcomes = 0;

/** The records of one append: they say which, so that what is loaded can be compared. */
function recordsOf(partition, number) {
  const name = `${process.pid}-${partition}-${number}`;
  return Array.from({ length: 1 + (number % 3) }, (_, i) => ({
    key: Buffer.from(`${name}/${i}`),
    value: number % 10 === 9 ? null : Buffer.alloc(number % 500, 'x'),
  }));
}

function appendNext(partition, number) {
  const records = recordsOf(partition, number);
  waiting++;
  log.append(partition, records, (errorCode, baseOffset) => {
    waiting--;
    if (++outcomes === OUTCOMES_BEFORE_DEATH && mode === 'die') void shards[0].terminate();
    say({ partition, name: `${process.pid}-${partition}-${number}`, count: records.length, errorCode, baseOffset });
    if (errorCode === 0) appendNext(partition, number + AT_A_TIME);
  });
}

function load(partition) {
  return new Promise((resolve) => {
    const onRecord = (key, value, offset) =>
      say({ partition, offset, key: Buffer.from(key).toString(), value: value === null ? null : value.length });
    log.load(partition, onRecord, (errorCode) => {
      say({ partition, errorCode });
      resolve();
    });
  });
}

if (mode === 'append' || mode === 'die') {
  for (let partition = 0; partition < PARTITIONS; partition++)
    for (let number = 0; number < AT_A_TIME; number++) appendNext(partition, number);
  if (mode === 'die') {
    await broker.closed;
    say({ waiting });
  }
} else {
  await Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => load(partition)));
  await broker.stop();
}
