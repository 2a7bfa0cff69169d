/**
 * Idempotent producers of three families through a network that repeats, delays and drops (lib/produce-proxy.mjs): each number once, in order, at the offset that was
 * acknowledged. A broker of its own, because it advertises the proxy's address.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { RinglogBroker } from '../lib/broker.mjs';
import { must } from '../lib/command.mjs';
import { interopFolder } from '../lib/places.mjs';
import { ProduceProxy } from '../lib/produce-proxy.mjs';
import { storedValues } from '../lib/stored-values.mjs';
import { goClient } from '../lib/go-client.mjs';
import { javaClient, MissingTool, python } from '../lib/tools.mjs';

const MESSAGES = 4000;
const PARTITIONS = 3;
const TIMEOUT_MS = 300_000;
const SEED = Number(process.env.RINGLOG_SEED ?? 1);

/** Each writes `count` numbers to every partition of a topic, as an idempotent producer with five requests in flight, and prints `partition number offset` for each. */
const CLIENTS = [
  { client: 'java', tool: javaClient, command: (java) => ['java', ['-Xmx256m', '-cp', java.classPath, 'Idempotent']] },
  { client: 'python', tool: python, command: ({ interpreter }) => [interpreter, ['-u', join(interopFolder, 'python', 'idempotent.py')]] },
  { client: 'franz-go', tool: () => goClient('go-idempotent'), command: ({ program }) => [program, []] },
];

export function tools() {
  return { version: undefined };
}

export async function run({ report, folder }) {
  for (const [n, { client, tool, command }] of CLIENTS.entries()) {
    let tools;
    try {
      tools = tool();
    } catch (error) {
      if (!(error instanceof MissingTool)) throw error;
      await report.missing(`${client} (idempotence)`, client, 'idempotence', error);
      continue;
    }
    for (const durability of ['fsync', 'page-cache'])
      await report.check(client, 'idempotence', `each number once and in order through a bad network, ${durability}`, () =>
        through(join(folder, `idempotence-${client}-${durability}`), durability, SEED + n, (address, topic) => {
          const [program, args] = command(tools);
          return must(program, [...args, address, topic, String(PARTITIONS), String(MESSAGES)], { timeoutMs: TIMEOUT_MS });
        }),
      );
  }
}

async function through(folder, durability, seed, produce) {
  const proxy = await ProduceProxy.start({ seed });
  const settings = [
    `advertised.listeners=PLAINTEXT://${proxy.address}`,
    `ringlog.durability=${durability}`,
    `num.partitions=${PARTITIONS}`,
    'ringlog.checkpoint.interval.ms=300',
  ];
  const broker = await RinglogBroker.start({ folder, settings });
  try {
    proxy.aim(broker.port);
    const topic = 'numbers';
    const { stdout } = await produce(proxy.address, topic);
    const acknowledged = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number));
    assert.equal(acknowledged.length, PARTITIONS * MESSAGES, 'everything is acknowledged');
    const expected = Array.from({ length: MESSAGES }, (_, n) => String(n));
    const check = async () => {
      for (let partition = 0; partition < PARTITIONS; partition++) {
        const values = await storedValues({ port: broker.port, topic, partition });
        assert.deepEqual(values, expected, `partition ${partition} holds each number once and in order`);
      }
    };
    await check();
    for (const [partition, number, offset] of acknowledged)
      assert.equal(offset, number, `number ${number} of partition ${partition} was acknowledged at offset ${offset}`);
    await broker.restart();
    await check();
    const { pass, ...others } = proxy.counts;
    const harmed = Object.values(others).reduce((sum, count) => sum + count, 0);
    assert.ok(harmed >= 20, `the network was too kind: ${JSON.stringify(proxy.counts)}`);
    assert.deepEqual(broker.complaints, []);
    return `${pass} requests passed, ${Object.entries(others)
      .map(([kind, count]) => `${kind} ${count}`)
      .join(', ')}`;
  } finally {
    await proxy.stop();
    await broker.stop();
  }
}
