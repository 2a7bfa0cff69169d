/** Kafka Connect, standalone: lines of a file into a topic, and out of it into another file; stopped and started again, it goes on where it was. */

import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../../perf/lib/servers.mjs';
import { kafkaJava } from '../../../perf/peers/kafka.mjs';
import { explain, start } from '../lib/command.mjs';
import { QUICK_START } from '../lib/kafka-tool.mjs';

export { kafkaConnect as tools } from '../lib/tools.mjs';

const LINES = 1000;
const MORE = 500;
const TOPIC = 'connect-lines';
const TIME_MS_MAX = 90_000;
/** What Java ends with, after all that has to be done at the end. */
const ENDED_BY_TERM = 143;

const lines = (count, from = 1) => Array.from({ length: count }, (_, index) => `line ${from + index}\n`).join('');

class Connect {
  constructor({ broker, folder, tools }, restPort) {
    this.folder = join(folder, 'connect');
    this.libs = tools.libs;
    this.restPort = restPort;
    this.source = join(this.folder, 'source.txt');
    this.sink = join(this.folder, 'sink.txt');
    mkdirSync(this.folder, { recursive: true });
    const converter = 'org.apache.kafka.connect.storage.StringConverter';
    this.worker = this.#properties('worker', {
      'bootstrap.servers': broker.address,
      'key.converter': converter,
      'value.converter': converter,
      'offset.storage.file.filename': join(this.folder, 'offsets'),
      'offset.flush.interval.ms': '1000',
      listeners: `HTTP://127.0.0.1:${restPort}`,
    });
    const connector = (name, type, others) =>
      this.#properties(name, { name, 'connector.class': `FileStream${type}`, 'tasks.max': '1', ...others });
    this.connectors = [
      connector('file-source', 'Source', { file: this.source, topic: TOPIC }),
      connector('file-sink', 'Sink', { file: this.sink, topics: TOPIC }),
    ];
  }

  #properties(name, settings) {
    const path = join(this.folder, `${name}.properties`);
    writeFileSync(
      path,
      Object.entries(settings)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    );
    return path;
  }

  get written() {
    return existsSync(this.sink) ? readFileSync(this.sink, 'utf8') : '';
  }

  /** The state of both connectors and their tasks, as its REST interface tells it. */
  async states() {
    const response = await fetch(`http://127.0.0.1:${this.restPort}/connectors?expand=status`);
    return Object.values(await response.json()).flatMap(({ status }) => [status.connector, ...status.tasks].map(({ state }) => state));
  }

  /** Runs it until the sink has `text`, and stops it. */
  async until(text) {
    const java = kafkaJava('org.apache.kafka.connect.cli.ConnectStandalone', [this.worker, ...this.connectors], '512m');
    java[java.indexOf('-cp') + 1] = join(this.libs, '*');
    const { child, ended } = start('java', java, { env: QUICK_START, timeoutMs: 2 * TIME_MS_MAX });
    let states = [];
    try {
      for (const endMs = Date.now() + TIME_MS_MAX; this.written.length < text.length; await sleep(100))
        if (Date.now() > endMs || child.exitCode !== null) break;
      if (child.exitCode === null) states = await this.states();
    } finally {
      child.kill('SIGTERM');
    }
    const end = await ended;
    assert.ok(end.code === 0 || end.code === ENDED_BY_TERM, explain(end));
    assert.equal(this.written, text, explain(end));
    assert.deepEqual(states, ['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING']);
  }
}

export async function run(context) {
  const connect = new Connect(context, await freePort());
  const check = (name, body) => context.report.check('connect', 'connect', name, body);
  await check(`standalone: ${LINES} lines of a file, through a topic, into another file`, async () => {
    writeFileSync(connect.source, lines(LINES));
    await connect.until(lines(LINES));
  });
  await check(`started again: ${MORE} more lines, none twice`, async () => {
    appendFileSync(connect.source, lines(MORE, LINES + 1));
    await connect.until(lines(LINES + MORE));
  });
  if (context.broker.restart !== undefined)
    await check('the broker restarted in between: it goes on, too', async () => {
      await context.broker.restart();
      appendFileSync(connect.source, lines(MORE, LINES + MORE + 1));
      await connect.until(lines(LINES + 2 * MORE));
    });
}
