// The attacks of test/integration/hostile-*, all at once and again and again, from a process of their own: run as a program with a port, it attacks until it is told to stop.
import { fork } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { fetchRequest, request } from './client.mjs';
import { track } from './process.mjs';

/** Starts them, or only one. `stop` resolves to how often each attack was made. */
export function startAttackers(port, only) {
  const child = track(
    fork(fileURLToPath(import.meta.url), [String(port), ...(only === undefined ? [] : [only])], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    }),
  );
  let counts = null;
  child.on('message', (message) => (counts = message));
  const ended = new Promise((resolve) => child.once('exit', resolve));
  return {
    async stop() {
      child.send('stop');
      await ended;
      if (counts === null) throw new Error('the attackers ended by themselves');
      return counts;
    },
    kill: () => child.kill('SIGKILL'),
  };
}

const int16 = (value) => ((b) => (b.writeInt16BE(value), b))(Buffer.alloc(2));
const int32 = (value) => ((b) => (b.writeInt32BE(value | 0), b))(Buffer.alloc(4));
const string = (text) => Buffer.concat([int16(text.length), Buffer.from(text)]);
const MIB = 2 ** 20;

/** Bytes that each cost their sender the connection. */
const BAD = [
  int32(-1),
  int32(2 ** 31 - 1),
  Buffer.from('GET / HTTP/1.1\r\n\r\n'),
  Buffer.from('1603010200010001fc0303', 'hex'),
  request(12345, 0, Buffer.alloc(20)),
  request(1, 99, Buffer.alloc(20)),
  request(0, 7, Buffer.alloc(30, 0x7f)),
  request(3, 1, int32(0x7f7f7f7f)),
  request(1, 12, Buffer.alloc(64, 0x80)),
];
/** Answered with much: the configuration of two thousand topics. */
const MUCH = request(
  32,
  3,
  Buffer.concat([
    int32(2000),
    ...Array.from({ length: 2000 }, () => Buffer.concat([Buffer.from([2]), string('perf'), int32(-1)])),
    Buffer.from([1, 1]),
  ]),
);
/** Without leave to create them. */
const METADATA = request(
  3,
  4,
  Buffer.concat([int32(5000), ...Array.from({ length: 5000 }, (_, n) => string(`nobody-${n}`)), Buffer.from([0])]),
);
const ALL_AT_ONCE = fetchRequest(
  'perf',
  Array.from({ length: 20_000 }, (_, n) => n % 4),
  MIB,
);
const HALF = Buffer.concat([int32(MIB), int16(0), int16(7), int32(1), string('half'), Buffer.alloc(20_000)]);

function open(port) {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  return socket;
}

/** Each makes one attack and ends it. */
const ATTACKS = {
  async bad(port) {
    for (const bytes of BAD)
      open(port)
        .on('close', () => {})
        .resume()
        .write(bytes);
    await sleep(20);
  },
  async halves(port) {
    const sockets = Array.from({ length: 100 }, () => open(port));
    for (const socket of sockets) socket.write(HALF);
    await sleep(3000);
    for (const socket of sockets) socket.destroy();
  },
  async drip(port) {
    const sockets = Array.from({ length: 50 }, () => open(port));
    for (let at = 0; at < 60; at++) {
      for (const socket of sockets) socket.write(METADATA.subarray(at, at + 1));
      await sleep(50);
    }
    for (const socket of sockets) socket.destroy();
  },
  async deaf(port) {
    const sockets = Array.from({ length: 16 }, () => open(port).pause());
    for (const socket of sockets) for (let n = 0; n < 10; n++) socket.write(fetchRequest('perf', [0, 1, 2, 3], 50 * MIB));
    await sleep(2000);
    for (const socket of sockets) socket.destroy();
  },
  async churn(port) {
    const sockets = Array.from({ length: 50 }, () => open(port));
    await sleep(30);
    for (const socket of sockets) socket.resetAndDestroy();
  },
  async amplified(port) {
    const sockets = Array.from({ length: 8 }, () => open(port).pause());
    for (const socket of sockets) for (const ask of [MUCH, METADATA, ALL_AT_ONCE]) socket.write(ask);
    await sleep(1000);
    for (const socket of sockets) socket.destroy();
  },
  async refused(port) {
    const socket = open(port).resume();
    // A topic nobody has, and records that are none.
    const body = Buffer.concat([
      int16(-1),
      int16(-1),
      int32(1000),
      int32(1),
      string('nobody'),
      int32(1),
      int32(0),
      int32(100),
      Buffer.alloc(100),
    ]);
    for (let n = 0; n < 200; n++) socket.write(request(0, 7, body));
    await sleep(100);
    socket.destroy();
  },
};

async function attack(port, only) {
  const told = { isOver: false };
  process.on('message', () => (told.isOver = true));
  process.on('disconnect', () => process.exit(0));
  const counts = {};
  await Promise.all(
    Object.entries(ATTACKS).map(async ([name, run]) => {
      if (only !== undefined && name !== only) return;
      for (counts[name] = 0; !told.isOver; counts[name]++) await run(port);
    }),
  );
  process.send(counts, () => process.exit(0));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await attack(Number(process.argv[2]), process.argv[3]);
