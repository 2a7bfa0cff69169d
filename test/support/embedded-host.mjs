/**
 * A program that embeds brokers, for tests that look at what is left in its process: `node embedded-host.mjs NAME` runs one of the scenes below and prints
 * what it saw as one line of JSON. The process must then end by itself.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const threads = createRequire(import.meta.url)('node:worker_threads');
const workers = [];
threads.Worker = class extends threads.Worker {
  constructor(...args) {
    super(...args);
    this.label = args[1]?.name ?? String(args[0]);
    workers.push(this);
  }
};
syncBuiltinESMExports();

const { Broker } = await import('../../dist/index.js');

/** Ends by themselves, or belong to the standard streams. */
const NO_HANDLES = new Set(['PipeWrap', 'TTYWrap', 'FSReqCallback', 'CloseReq', 'Immediate']);

/** What the process holds: descriptors and threads where the system tells, handles that keep it up, listeners on it. */
async function held() {
  await sleep(0);
  const count = (folder) => (existsSync(folder) ? readdirSync(folder).length : 0);
  const listeners = process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);
  return {
    descriptors: count('/proc/self/fd'),
    threads: count('/proc/self/task'),
    resources: process.getActiveResourcesInfo().filter((name) => !NO_HANDLES.has(name)),
    listeners,
  };
}

function connect({ address }) {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port: Number(port) }, () => resolve(socket)).on('error', reject);
  });
}

/** Starts and stops `times` brokers, one after the other, each with a client that is still connected at the end. */
async function cycles(times) {
  for (let n = 0; n < times; n++) {
    const broker = await Broker.start({ temporary: true });
    const socket = await connect(broker);
    const ended = new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve));
    await broker.stop();
    await ended;
  }
}

/** Starts a broker, gives every part of it something to do, and stops it. */
async function lifeOf() {
  const broker = await Broker.start({ temporary: true });
  const { firstAcknowledged } = await import('../../perf/lib/client.mjs');
  await firstAcknowledged(Number(broker.address.split(':')[1]), 't', { configs: { 'ringlog.durability': 'fsync' } });
  await broker.stop();
  return new WeakRef(broker);
}

/** Ends the workers whose name holds `part`, each once. */
async function end(part) {
  const chosen = workers.filter(({ label }) => label.includes(part));
  for (const worker of chosen) workers.splice(workers.indexOf(worker), 1);
  await Promise.all(chosen.map((worker) => worker.terminate()));
}

const SCENES = {
  /** Nothing is left after a stop; counted from the second broker on, since the first one loads code. */
  async cycles() {
    await cycles(2);
    const before = await held();
    await cycles(10);
    return { before, after: await held() };
  },

  /** How many of some stopped brokers are still in memory although nobody here has them. */
  async memory() {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    const stopped = [];
    for (let n = 0; n < 4; n++) stopped.push(await lifeOf());
    const kept = () => stopped.filter((reference) => reference.deref() !== undefined).length;
    for (let tries = 0; tries < 50 && kept() > 0; tries++) {
      await sleep(20);
      collect();
    }
    return { kept: kept() };
  },

  /** What brokers say of their connections while they come and go, in the order of the lines. The process may open few files. */
  async crowd() {
    const said = [];
    const listen = (name) => (line) => {
      const { connections } = JSON.parse(line);
      if (connections !== undefined) said.push([name, connections]);
    };
    const settings = { 'ringlog.log.level': 'debug' };
    const first = await Broker.start({ temporary: true, settings, onLog: listen('first') });
    const second = await Broker.start({ temporary: true, settings, onLog: listen('second') });
    await second.stop();
    await first.stop();
    return said;
  },

  async several() {
    const brokers = await Promise.all([1, 2, 3].map(() => Broker.start({ temporary: true })));
    const folders = brokers.map(({ config }) => config.dataDir);
    const addresses = brokers.map(({ address }) => address);
    await brokers[1].stop();
    (await connect(brokers[0])).destroy();
    (await connect(brokers[2])).destroy();
    const refused = await connect(brokers[1]).then(
      () => false,
      () => true,
    );
    await Promise.all(brokers.map((broker) => broker.stop()));
    return {
      folders: new Set(folders).size,
      addresses: new Set(addresses).size,
      refused,
      left: folders.filter((folder) => existsSync(folder)),
    };
  },

  /** A thread dies: the broker says so and is down, the other one and the process go on. */
  async death() {
    await cycles(1);
    const before = await held();
    const other = await Broker.start({ temporary: true });
    const lines = [];
    workers.length = 0;
    const broker = await Broker.start({ temporary: true, onLog: (line) => lines.push(JSON.parse(line)) });
    const failed = new Promise((resolve) => broker.once('failed', resolve));
    await end('sync');
    const reason = await failed;
    const rejected = await broker.stop().then(
      () => null,
      (error) => error.message,
    );
    const closed = await broker.closed;
    (await connect(other)).destroy();
    await other.stop();
    const { dataDir } = broker.config;
    return {
      reason: reason.message,
      rejected,
      closed: closed.message,
      fatal: lines.some(({ level }) => level === 'fatal'),
      left: existsSync(dataDir),
      before,
      after: await held(),
    };
  },

  /** A thread dies while the broker starts: the start rejects, and nothing is left. */
  async stillborn() {
    await cycles(1);
    const before = await held();
    workers.length = 0;
    const timer = setInterval(() => void end('sync'), 1);
    const reason = await Broker.start({ temporary: true, settings: { 'ringlog.log.level': 'silent' } }).then(
      async (broker) => `started, ${await broker.closed}`,
      (error) => error.message,
    );
    clearInterval(timer);
    return { reason, before, after: await held() };
  },

  /** A start that is refused leaves nothing, and the folder is free afterwards. */
  async refusal() {
    await cycles(1);
    const before = await held();
    const folder = mkdtempSync(join(tmpdir(), 'ringlog-test-'));
    const first = await Broker.start({ dataDir: folder, port: 0 });
    const port = Number(first.address.split(':')[1]);
    const why = (promise) =>
      promise.then(
        () => 'started',
        ({ name, code, message }) => [name, code, message],
      );
    const folderTaken = await why(Broker.start({ dataDir: folder, port: 0 }));
    const portTaken = await why(Broker.start({ temporary: true, port }));
    await first.stop();
    await first.stop();
    await (await Broker.start({ dataDir: folder, port: 0 })).stop();
    rmSync(folder, { recursive: true });
    return { folderTaken, portTaken, before, after: await held() };
  },

  /** Ends without a stop: by itself it would not. */
  async exits() {
    const { config } = await Broker.start({ temporary: true });
    process.stdout.write(`${JSON.stringify({ folder: config.dataDir, there: existsSync(config.dataDir) })}\n`);
    process.exit(0);
  },
};

process.stdout.write(`${JSON.stringify(await SCENES[process.argv[2]]())}\n`);
