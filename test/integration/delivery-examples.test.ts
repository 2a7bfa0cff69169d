/** The examples of docs/SEMANTICS.md, run as a reader would, with members that really die. */
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startBroker } from '../support/broker-process.ts';
import { run } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = join(import.meta.dirname, '../..');

it('a member killed in the middle loses one order where it commits first, and leaves it to be done again where it commits last', async () => {
  const project = temporaryFolder();
  cpSync(join(root, 'docs/examples/delivery'), project, { recursive: true });
  mkdirSync(join(project, 'node_modules/@platformatic'), { recursive: true });
  symlinkSync(join(root, 'node_modules/@platformatic/kafka'), join(project, 'node_modules/@platformatic/kafka'), 'dir');
  const broker = await startBroker({ dataDir: temporaryFolder(), settings: { 'group.initial.rebalance.delay.ms': 0 } });
  const example = async (...args: string[]) => {
    const child = run(process.execPath, args, { cwd: project, env: { ...process.env, KAFKA: `127.0.0.1:${broker.port}` } });
    return { ended: await child.ended, stderr: child.stderr(), lines: child.stdout().trim().split('\n') };
  };
  /** What the first member did, which dies at the third order, and what the next one did. */
  const twoMembers = async (file: string) => {
    const first = await example(file, 'order 3');
    expect([first.ended, first.stderr]).toEqual(['SIGKILL', '']);
    const second = await example(file);
    expect([second.ended, second.stderr]).toEqual([0, '']);
    return [first.lines, second.lines];
  };
  const worked = (...numbers: number[]) => numbers.map((number) => `work on order ${number}`);

  expect(await example('produce.mjs')).toEqual({ ended: 0, stderr: '', lines: ['5 orders are acknowledged'] });
  const [atMostOnce, atLeastOnce] = await Promise.all([twoMembers('at-most-once.mjs'), twoMembers('at-least-once.mjs')]);
  expect(atMostOnce).toEqual([worked(1, 2), worked(4, 5)]);
  expect(atLeastOnce).toEqual([worked(1, 2, 3), worked(3, 4, 5)]);
});
