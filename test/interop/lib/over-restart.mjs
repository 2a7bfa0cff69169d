/** A client that sends and receives while the broker is restarted: it goes on by itself, and nothing that was acknowledged is lost. */

import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { explain, LATER, start } from './command.mjs';

const AFTER_MS = 1500;

export async function checkOverRestart(report, client, broker, command, args, options) {
  if (broker.restart === undefined) return;
  await report.check(client, 'restart', 'producer and consumer go on, and nothing acknowledged is lost', async () => {
    let said = '';
    let onReady;
    const ready = new Promise((resolve) => (onReady = resolve));
    const onStdout = (chunk) => {
      said += chunk.toString();
      if (said.includes('ready')) onReady();
    };
    const { child, ended } = start(command, args, { ...options, stdin: LATER, onStdout });
    await Promise.race([ready, ended]);
    await broker.restart();
    await sleep(AFTER_MS);
    child.stdin.end('stop\n');
    const end = await ended;
    assert.equal(end.code, 0, explain(end));
    const { sent, delivered, left, errors, lost } = JSON.parse(said.trim().split('\n').at(-1));
    assert.deepEqual({ delivered, left, errors, lost }, { delivered: sent, left: 0, errors: [], lost: 0 });
    return `${sent} messages`;
  });
}
