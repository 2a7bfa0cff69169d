/** Clients that are too slow, half gone, or do not listen. What they hold has a limit, and nobody waits for them. */
import { expect, it } from 'vitest';
import { fetch } from '../../src/protocol/apis/01-fetch.ts';
import { apiVersions } from '../../src/protocol/apis/18-api-versions.ts';
import { metadata } from '../../src/protocol/apis/03-metadata.ts';
import { encodeRequestFrame } from '../../src/protocol/frame.ts';
import { delay, eventually } from '../support/broker-process.ts';
import { batchOf, VERSIONS } from '../support/kafka-client.ts';
import { Siege } from '../support/siege.ts';
import { batchOf as batchOfBytes, produceFrame } from '../support/wire-client.ts';

const MIB = 1 << 20;
/** Larger than a small frame, so it needs memory of its own. */
const FRAME = produceFrame(1, 'bystander', [{ partition: 99, records: batchOfBytes(500_000) }]);

it('half-open ones cost a descriptor each until they are idle for too long, and nothing else', async () => {
  const siege = await Siege.begin({ settings: { 'connections.max.idle.ms': 1500 } });
  const silent = await siege.crowd(300);
  await siege.served(20);
  // Nothing was said to them, so their going tells the broker nothing: time does.
  await Promise.all(silent.map((client) => client.waitClosed()));
  expect(siege.complaints).toEqual([]);
  await siege.end();
});

it('one that says no more gets what it asked for, and then its connection is closed', async () => {
  const siege = await Siege.begin();
  const attackers = await siege.crowd(50);
  const ask = encodeRequestFrame(apiVersions, 0, 7, 'half', {});
  // The end of what they send comes with the request.
  for (const { socket } of attackers) socket.end(ask);
  await Promise.all(attackers.map((attacker) => attacker.waitClosed()));
  await siege.end();
});

it('one byte at a time is a request all the same', async () => {
  const siege = await Siege.begin();
  const attackers = await siege.crowd(20);
  const ask = encodeRequestFrame(metadata, VERSIONS.metadata, 7, 'slow', {
    topics: [{ name: 'bystander' }],
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: false,
  });
  for (let at = 0; at < ask.length; at++) {
    for (const attacker of attackers) attacker.write(ask.subarray(at, at + 1));
    await delay(20);
  }
  for (const attacker of attackers) expect((await attacker.next()).readInt32BE(0)).toBe(7);
  expect(siege.complaints).toEqual([]);
  await siege.end();
});

it('one byte at a time, of requests that fill the memory, costs the connection as soon as others wait for it', async () => {
  const siege = await Siege.begin();
  const attackers = await siege.crowd(60);
  const tell = produceFrame(1, 'bystander', [{ partition: 99, records: batchOfBytes(MIB - 100) }]);
  for (const attacker of attackers) attacker.write(tell.subarray(0, 5000));
  const drip = { isOver: false };
  const dripping = (async () => {
    for (let at = 5000; !drip.isOver; at++) {
      for (const attacker of attackers) if (!attacker.closed) attacker.write(tell.subarray(at, at + 1));
      await delay(50);
    }
  })();
  // More than the memory holds: whoever has it is told to hurry, and loses it, until nobody waits any more.
  await eventually(() => attackers.filter(({ closed }) => closed).length >= 40, 'those who wait for memory get it');
  await siege.served(20);
  drip.isOver = true;
  await dripping;
  expect(siege.complaints[0]?.msg).toContain('its request stopped in the middle');
  await siege.end();
});

it('a header without its body costs the connection after a while, and says so', async () => {
  const siege = await Siege.begin({ settings: { 'ringlog.grant.stall.ms': 500 } });
  const attacker = await siege.attacker();
  attacker.write(FRAME.subarray(0, 40));
  await attacker.waitClosed();
  await siege.complainsOnce('its request stopped in the middle');
  await siege.end();
});

it('a size without anything holds no memory: a thousand of the largest are nothing', async () => {
  const siege = await Siege.begin();
  const size = Buffer.alloc(4);
  size.writeInt32BE(100 * MIB);
  for (const attacker of await siege.crowd(1000)) attacker.write(size);
  await siege.served(20);
  const client = await siege.broker.connect();
  expect((await client.produce('bystander', 99, batchOf([Buffer.alloc(500_000)]))).errorCode).not.toBe(0);
  client.close();
  await siege.end();
});

it.each([
  [
    'fetches',
    encodeRequestFrame(fetch, VERSIONS.fetch, 7, 'deaf', {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 50 * MIB,
      topics: [{ topic: 'big', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 50 * MIB }] }],
      forgottenTopicsData: [],
      rackId: '',
    }),
  ],
  [
    'metadata',
    encodeRequestFrame(metadata, VERSIONS.metadata, 7, 'deaf', {
      topics: null,
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    }),
  ],
  ['versions', encodeRequestFrame(apiVersions, 4, 7, 'deaf', { clientSoftwareName: 'deaf', clientSoftwareVersion: '1' })],
  ['refused records', produceFrame(7, 'nobody', [{ partition: 0, records: batchOfBytes(100) }])],
])('one that asks for %s and never reads is not read from either', async (_, ask) => {
  const siege = await Siege.begin();
  const admin = await siege.broker.connect();
  await admin.createTopic('big', 1, { 'max.message.bytes': String(4 * MIB) });
  for (let n = 0; n < 10; n++) expect((await admin.produce('big', 0, batchOf([Buffer.alloc(3 * MIB, n)]))).errorCode).toBe(0);
  const attackers = await siege.crowd(50);
  // Asks until the broker takes no more, as long as the bystander is served.
  const many = Buffer.concat(Array.from({ length: 200 }, () => ask));
  for (const { socket } of attackers) socket.pause();
  for (let round = 0; round < 20; round++) {
    for (const { socket } of attackers) if (socket.writableLength < MIB) socket.write(many);
    await siege.served(2);
  }
  await siege.served(20);
  admin.close();
  await siege.end();
});

it('those that are reset in the middle of everything leave nothing', async () => {
  const siege = await Siege.begin();
  const ask = encodeRequestFrame(metadata, VERSIONS.metadata, 7, 'gone', {
    topics: null,
    allowAutoTopicCreation: false,
    includeTopicAuthorizedOperations: false,
  });
  for (let round = 0; round < 20; round++) {
    const attackers = await siege.crowd(25);
    attackers.forEach((attacker, n) => {
      attacker.write(n % 3 === 0 ? ask : FRAME.subarray(0, n % 3 === 1 ? 3 : 1000 * n));
      attacker.socket.resetAndDestroy();
    });
  }
  await siege.served();
  expect(siege.complaints).toEqual([]);
  await siege.end();
});
