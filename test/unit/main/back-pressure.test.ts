import { afterEach, describe, expect, it } from 'vitest';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { ApiKey } from '../../../src/protocol/api-versions.ts';
import { encodeRequestFrame } from '../../../src/protocol/frame.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { FakeShard } from '../../support/fake-shard.ts';
import { IngressBench } from '../../support/ingress-bench.ts';
import { batchOf, produceFrame, until, type WireClient } from '../../support/wire-client.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** How often the listener looks at its connections. */
const TICK_MS = 250;
const settle = (ms = 30): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let bench: IngressBench;
afterEach(() => bench.stop());

const frameOf = (id: number, bytes: number, topic = 't'): Buffer => produceFrame(id, topic, [{ partition: 0, records: batchOf(bytes) }]);

async function produceOne(client: WireClient, id: number, bytes: number, topic = 't'): Promise<void> {
  client.write(frameOf(id, bytes, topic));
  const { correlationId, body } = await client.nextProduce();
  expect([correlationId, body.responses[0]!.partitionResponses[0]!.errorCode]).toEqual([id, 0]);
}

describe('back-pressure', () => {
  it('1,000 connections that stop in the middle of a 1 MiB produce do not stop the 1,001st', async () => {
    bench = await IngressBench.start({ receiveMemoryBytes: 128 * MIB, grantStallMs: 500 });
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const half = frameOf(1, MIB).subarray(0, 512 * KIB);
    const stopped: WireClient[] = [];
    for (let n = 0; n < 1000; n++) stopped.push(await bench.connect());
    const { regions, listener } = bench.ingress;
    await until(() => listener.size === 1000, 'all are accepted');
    // All at once, so that they meet however long it took to connect them.
    for (const other of stopped) other.write(half);
    await until(() => regions.waiting > 400, 'most wait for memory');
    expect(bench.usedBytes).toBeLessThanOrEqual(128 * MIB);
    const client = await bench.connect();
    await produceOne(client, 1, 1000);
    await produceOne(client, 2, 50 * KIB);
    // A large one stands in line behind all of them; it comes through because those who hold memory and do not send are ended.
    client.write(frameOf(3, MIB));
    const frame = await client.next();
    expect(frame.readInt32BE(0)).toBe(3);
    expect(listener.counters.closedStalled).toBeGreaterThan(900);
    for (const other of stopped) other.destroy();
    await until(() => bench.usedBytes === 0 && bench.ingress.listener.size === 1, 'all memory is back');
  });

  it.each([
    ['a request that waits for other clients', true],
    ['an answer that is not taken', false],
  ])('two whose large requests stand behind %s do not keep the memory from a third', async (_what, isParked) => {
    bench = await IngressBench.start({ receiveMemoryBytes: 32 * MIB });
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    bench.ingress.handle(ApiKey.METADATA, (request) => {
      if (isParked) return request.becomeParked();
      // More than the kernel's buffers take for a client that does not read.
      const frame = Buffer.alloc(64 * MIB);
      frame.writeInt32BE(frame.length - 4, 0);
      request.respond([frame]);
    });
    const holders = [await bench.connect(), await bench.connect()];
    const { regions, listener } = bench.ingress;
    for (const holder of holders) {
      holder.socket.pause();
      holder.write(encodeRequestFrame(metadata, 1, 1, 'client', { topics: [] }));
      holder.write(frameOf(2, 11 * MIB));
    }
    await until(() => bench.usedBytes > 22 * MIB, 'both hold memory');
    // Nobody wants it yet.
    await settle(4 * TICK_MS);
    expect([regions.waiting, listener.counters.closedStalled]).toEqual([0, 0]);
    await produceOne(await bench.connect(), 3, 4 * MIB);
    expect(listener.counters.closedStalled).toBeGreaterThan(0);
    for (const holder of holders) holder.destroy();
    await until(() => bench.usedBytes === 0, 'all memory is back');
  });

  it('one that sends a byte at a time is served, and delays nobody', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const slow = await bench.connect();
    const fast = await bench.connect();
    const frame = frameOf(1, 20);
    for (const byte of frame) {
      await slow.send(Buffer.from([byte]));
      await settle(1);
    }
    expect((await slow.nextProduce()).correlationId).toBe(1);
    await produceOne(fast, 2, 10);
    expect(bench.usedBytes).toBe(0);
  });

  it('a full ring stops exactly the connections that fill it, and lets them go on in order', async () => {
    bench = await IngressBench.start({}, { submissionSlots: 128, completionSlots: 256 });
    const other = new FakeShard(bench.ingress.memory, { index: 1 });
    bench.ingress.addLink(other.link);
    const slow = bench.shard;
    bench.router.addTopic('slow', [slow.link]);
    bench.router.addTopic('other', [other.link]);
    const room = slow.link.appendsMax;
    expect(room).toBe(64);
    slow.record = true;
    const clients: WireClient[] = [];
    // Eight connections with ten requests each: sixty-four fit.
    for (let n = 0; n < 8; n++) {
      const client = await bench.connect();
      clients.push(client);
      for (let k = 0; k < 10; k++) client.write(frameOf(n * 10 + k, 100, 'slow'));
      const [inRing, inLine] = [Math.min(room, 10 * (n + 1)), Math.max(0, n - 5)];
      await until(() => slow.waiting === inRing && slow.link.line.size === inLine, `connection ${n} has its place`);
    }
    const free = await bench.connect();
    free.write(frameOf(1, 100, 'other'));
    await until(() => other.waiting === 1, 'the other shard has it');
    other.step();
    bench.ingress.cycle.run();
    expect((await free.nextProduce()).correlationId).toBe(1);
    expect(slow.waiting).toBe(room);
    // Those who wait: the seventh (from its fifth request on) and the eighth, in this order.
    expect(slow.link.line.size).toBe(2);
    while (slow.total < 80) {
      slow.step(1);
      bench.ingress.cycle.run();
      await settle(1);
    }
    bench.ingress.cycle.run();
    for (const [n, client] of clients.entries()) {
      for (let k = 0; k < 10; k++) expect((await client.nextProduce()).correlationId).toBe(n * 10 + k);
    }
    expect([bench.usedBytes, slow.link.inFlight, slow.link.line.size]).toEqual([0, 0, 0]);
  });

  it('gives a freed place in the ring to those who wait, not to those who come later', async () => {
    bench = await IngressBench.start({}, { submissionSlots: 128, completionSlots: 256 });
    const { shard } = bench;
    bench.router.addTopic('t', [shard.link]);
    shard.record = true;
    const fillers = await Promise.all([0, 1, 2, 3].map(() => bench.connect()));
    for (const filler of fillers) filler.write(Buffer.concat(new Array<Buffer>(16).fill(frameOf(0, 10))));
    await until(() => shard.waiting === shard.link.appendsMax, 'full');
    const sizes = [111, 222, 333, 444];
    for (const size of sizes) {
      const client = await bench.connect();
      client.write(frameOf(1, size));
      await until(() => shard.link.line.size === sizes.indexOf(size) + 1, 'waits');
    }
    while (shard.total < 64 + sizes.length) bench.step(1);
    const order = shard.taken.slice(64).map(({ length }) => length);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('submits a request whole or not at all', async () => {
    bench = await IngressBench.start({}, { submissionSlots: 128, completionSlots: 256 });
    const { shard } = bench;
    bench.router.addTopic('t', new Array(40).fill(shard.link));
    const parts = Array.from({ length: 40 }, (_, partition) => ({ partition, records: batchOf(10) }));
    const client = await bench.connect();
    client.write(Buffer.concat([produceFrame(1, 't', parts), produceFrame(2, 't', parts)]));
    await until(() => shard.waiting === 40, 'the first is there');
    await settle();
    expect(shard.waiting).toBe(40);
    shard.step(20);
    bench.ingress.cycle.run();
    // Twenty are in the ring, so forty more would fit by now only if some places of the answered ones were free: 20 + 40 ≤ 64.
    await until(() => shard.waiting === 60, 'the second follows as a whole');
    bench.step();
    expect((await client.nextProduce()).body.responses[0]!.partitionResponses.length).toBe(40);
    expect((await client.nextProduce()).correlationId).toBe(2);
    expect(bench.usedBytes).toBe(0);
  });

  it('a client that does not read its answers is not read any more, and others are', async () => {
    bench = await IngressBench.start();
    bench.router.addTopic('t'.repeat(200), [bench.shard.link]);
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const stuck = await bench.connect();
    stuck.socket.pause();
    const frame = frameOf(1, 1, 't'.repeat(200));
    const many = Buffer.concat(new Array<Buffer>(500).fill(frame));
    let written = 0;
    for (let n = 0; n < 160; n++) {
      stuck.write(many);
      written += 500;
    }
    let [taken, unchanged] = [0, 0];
    await until(() => {
      const now = bench.shard.total;
      unchanged = now === taken && stuck.socket.writableLength > MIB ? unchanged + 1 : 0;
      taken = now;
      // Many looks in a row: the kernel makes pauses of its own while it fills its buffers.
      return unchanged === 200;
    }, 'reading stops');
    expect(taken).toBeLessThan(written);
    const good = await bench.connect();
    await produceOne(good, 5, 100);
    expect(bench.shard.total).toBe(taken + 1);
    stuck.socket.resume();
    await until(() => bench.shard.total === written + 1, 'goes on once it reads');
    await until(() => stuck.frames.length === written, 'all are answered');
    expect(bench.usedBytes).toBe(0);
  });

  it('memory that is short is given in the order of arrival', async () => {
    bench = await IngressBench.start({ receiveMemoryBytes: 4 * MIB, socketRequestBytesMax: 3 * MIB });
    const { shard } = bench;
    bench.router.addTopic('t', [shard.link]);
    const clients: WireClient[] = [];
    for (let n = 0; n < 12; n++) {
      const client = await bench.connect();
      clients.push(client);
      client.write(frameOf(n, 900 * KIB));
      // Three fit.
      const [inRing, inLine] = [Math.min(3, n + 1), Math.max(0, n - 2)];
      await until(() => shard.waiting === inRing && bench.ingress.regions.waiting === inLine, `connection ${n} has its place`);
    }
    const answered: number[] = [];
    for (const client of clients) void client.next().then((frame) => answered.push(frame.readInt32BE(0)));
    // One at a time: what is given back goes to one of those in line, whose rest then lands alone.
    for (let n = 0; n < 12; n++) {
      await until(() => shard.waiting === Math.min(3, 12 - n), `all that fits has landed before answer ${n}`);
      shard.step(1);
      bench.ingress.cycle.run();
      await until(() => answered.length === n + 1, `answer ${n}`);
    }
    expect(answered).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(bench.usedBytes).toBe(0);
  });

  it('requests larger than the budget go through one at a time', async () => {
    bench = await IngressBench.start({ receiveMemoryBytes: 4 * MIB, socketRequestBytesMax: 20 * MIB });
    bench.router.addTopic('t', [bench.shard.link]);
    bench.runShard();
    const clients = await Promise.all([1, 2, 3].map(() => bench.connect()));
    const frame = frameOf(1, 16 * MIB);
    for (const client of clients) client.write(frame);
    const small = await bench.connect();
    await produceOne(small, 2, 1000);
    for (const client of clients) expect((await client.next()).readInt32BE(0)).toBe(1);
    expect(bench.usedBytes).toBe(0);
  });
});

describe('random traffic', () => {
  it('leaves nothing behind', async () => {
    bench = await IngressBench.start(
      { receiveMemoryBytes: 4 * MIB, socketRequestBytesMax: 6 * MIB },
      { submissionSlots: 128, completionSlots: 256 },
    );
    bench.router.addTopic('t', new Array(4).fill(bench.shard.link));
    bench.router.addTopic('m', [bench.shard.link]);
    bench.shard.memory.add(4);
    bench.runShard();
    const writer = setInterval(() => {
      bench.shard.write();
      bench.ingress.cycle.run();
    }, 3);
    const prng = new Prng(12345);
    const random = (below: number): number => prng.below(below);
    const batches = [1, 100, 1000, 5000, 20 * KIB, 70 * KIB, 300 * KIB].map((bytes) => batchOf(bytes));
    let answered = 0;
    const session = async (): Promise<void> => {
      for (let life = 0; life < 6; life++) {
        const client = await bench.connect();
        const count = 5 + random(60);
        const frames: Buffer[] = [];
        for (let n = 0; n < count; n++) {
          const parts = Array.from({ length: 1 + random(4) }, (_, partition) => ({
            partition,
            records: batches[random(random(20) === 0 ? 7 : 5)]!,
          }));
          frames.push(
            random(5) === 0 ? produceFrame(n, 'm', [{ partition: 0, records: batches[random(4)]! }]) : produceFrame(n, 't', parts),
          );
        }
        const bytes = Buffer.concat(frames);
        const dies = random(3) === 0;
        const end = dies ? random(bytes.length) : bytes.length;
        for (let at = 0; at < end;) {
          const next = Math.min(end, at + 1 + random(random(2) === 0 ? 100 : 200 * KIB));
          client.write(bytes.subarray(at, next));
          if (random(4) === 0) await settle(0);
          at = next;
        }
        if (dies) {
          await settle(random(20));
          client.destroy();
          continue;
        }
        for (let n = 0; n < count; n++) {
          expect((await client.next()).readInt32BE(0)).toBe(n);
          answered++;
        }
        client.destroy();
      }
    };
    await Promise.all(Array.from({ length: 24 }, session));
    await until(() => bench.ingress.listener.size === 0 && bench.usedBytes === 0, 'all memory is back');
    clearInterval(writer);
    expect(answered).toBeGreaterThan(1000);
    expect([bench.shard.link.inFlight, bench.shard.link.line.size, bench.ingress.regions.waiting]).toEqual([0, 0, 0]);
    expect(bench.logger.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});
