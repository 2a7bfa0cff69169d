/** More connections than there is room for, of every kind of room: the limit of all, of one address, of descriptors. */
import { execFileSync, spawnSync } from 'node:child_process';
import net from 'node:net';
import { expect, it, type TestContext } from 'vitest';
import { apiVersions } from '../../src/protocol/apis/18-api-versions.ts';
import { encodeRequestFrame } from '../../src/protocol/frame.ts';
import { delay, eventually } from '../support/broker-process.ts';
import { batchOf, KafkaClient } from '../support/kafka-client.ts';
import { Siege } from '../support/siege.ts';
import { skipLoudly } from '../support/system-tools.ts';

const ASK = encodeRequestFrame(apiVersions, 0, 7, 'flood', {});

/** Connects, or not; nobody is told. */
function knock(port: number): net.Socket {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  return socket;
}

it('above max.connections are closed as they come, said a few times in the log, and taken again when others have gone', async () => {
  const siege = await Siege.begin({ settings: { 'max.connections': 50 } });
  const inside = await siege.crowd(49);
  for (let round = 0; round < 10; round++) {
    const more = await siege.crowd(50);
    await Promise.all(more.map((client) => client.waitClosed()));
  }
  expect(siege.complaints.length).toBeLessThan(10);
  expect(siege.complaints[0]?.msg).toContain('connection refused');
  inside[0]?.destroy();
  await eventually(async () => {
    const client = await siege.attacker();
    client.write(ASK);
    return client.next().then(
      () => true,
      () => false,
    );
  }, 'the next one is taken');
  await siege.end();
});

it('of one address above max.connections.per.ip are closed as they come', async () => {
  const siege = await Siege.begin({ settings: { 'max.connections.per.ip': 10 } });
  await siege.crowd(9);
  const more = await siege.crowd(100);
  await Promise.all(more.map((client) => client.waitClosed()));
  expect(siege.complaints[0]).toMatchObject({ remote: '127.0.0.1', max: 10 });
  expect(siege.complaints.length).toBeLessThan(10);
  await siege.end();
});

it('that come and go by thousands, some without a word, some in the middle of one, leave nothing', async () => {
  const siege = await Siege.begin();
  for (let round = 0; round < 40; round++) {
    const sockets = Array.from({ length: 100 }, () => knock(siege.broker.port));
    sockets.forEach((socket, n) => {
      if (n % 2 === 0) socket.write(ASK.subarray(0, n % ASK.length));
      if (n % 4 === 0) socket.resetAndDestroy();
    });
    await delay(5);
    for (const socket of sockets) socket.destroy();
  }
  await siege.served();
  expect(siege.complaints).toEqual([]);
  await siege.end();
});

it('are no more than half of the descriptors the system allows, so that files can be opened', async () => {
  const siege = await Siege.begin({ wrapper: ['bash', '-c', 'ulimit -n 300; exec "$0" "$@"'] });
  expect(siege.broker.log[0]).toMatchObject({ level: 'warn', openFiles: 300, connections: 150 });
  const crowd = await siege.crowd(400);
  await eventually(() => crowd.filter(({ closed }) => closed).length >= 251, 'the others are refused');
  // Files for topics that nobody has touched yet.
  await siege.served();
  for (const client of crowd) client.destroy();
  await siege.end();
});

function limitDescriptors(context: TestContext, pid: number, most: number): void {
  const { status, error, stderr } = spawnSync('prlimit', ['--pid', String(pid), `--nofile=${most}:`], { encoding: 'utf8' });
  if (status !== 0) skipLoudly(context, `cannot limit the descriptors of a process: ${error?.message ?? stderr}`);
}

const TICKS_PER_SECOND = 100;

/** Processor time that a process has used, in ticks. */
function ticksOf(pid: number): number {
  const fields = execFileSync('cat', [`/proc/${pid}/stat`], { encoding: 'utf8' })
    .split(') ')[1]!
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

it('when no descriptor is left are not served, without keeping the processor busy, and are taken once there is one again', async (context) => {
  const siege = await Siege.begin();
  const pid = siege.broker.child.pid as number;
  const admin = await siege.broker.connect();
  await admin.createTopic('later', 3);
  await siege.crowd(20);
  // Below what is open: a file that the broker closes meanwhile makes no room.
  limitDescriptors(context, pid, siege.descriptors() - 8);
  const outside = Array.from({ length: 200 }, () => knock(siege.broker.port));
  for (const socket of outside) socket.write(ASK);
  await siege.served(20);
  // The system turns them away or lets them wait; nobody is answered.
  expect(outside.filter(({ bytesRead }) => bytesRead > 0)).toEqual([]);
  const ticksBefore = ticksOf(pid);
  const beganMs = performance.now();
  await delay(2000);
  await siege.served();
  // A loop in accept() would have used all the time there was.
  const busy = (ticksOf(pid) - ticksBefore) / TICKS_PER_SECOND / ((performance.now() - beganMs) / 1000);
  expect(busy).toBeLessThan(0.9);
  expect(siege.complaints.filter(({ msg }) => msg.startsWith('cannot accept')).length).toBeLessThan(10);
  limitDescriptors(context, pid, 4096);
  for (const socket of outside) socket.destroy();
  await eventually(async () => {
    const client = await KafkaClient.connect(siege.broker.port).catch(() => null);
    if (client === null) return false;
    const ok = await client.metadata(['later']).then(
      () => true,
      () => false,
    );
    client.close();
    return ok;
  }, 'clients are taken again');
  await eventually(async () => (await admin.produce('later', 1, batchOf(['y']))).errorCode === 0, 'files can be opened again');
  admin.close();
  await siege.end();
});
