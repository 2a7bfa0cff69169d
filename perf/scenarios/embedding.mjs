import { existsSync, readdirSync } from 'node:fs';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PAIRS_TO_JUDGE, spread } from '../lib/stats.mjs';

const HOST = fileURLToPath(new URL('../lib/embedded.mjs', import.meta.url));
const CYCLES = 100;
const QUICK_CYCLES = 10;

/** A fresh process that embeds brokers, so that turns do not share what it has loaded or kept. */
async function measured(cycles) {
  const child = fork(HOST, [String(cycles)]);
  let result;
  child.on('message', (message) => (result = message));
  await once(child, 'exit');
  if (result === undefined) throw new Error('the program that embeds brokers ended without a result');
  return result;
}

export default {
  name: 'embedding',
  summary: 'a broker inside a program: start to the first acknowledged record (fsync), stop, and what 100 cycles leave',
  refuses: ['profile', 'set', 'bin'],
  steps: () => 1,
  async run(context) {
    const turns = [];
    for (let turn = 1; turn <= context.pairs; turn++) {
      context.progress.step(`embedding, turn ${turn} of ${context.pairs}`);
      turns.push(await measured(context.quick ? QUICK_CYCLES : CYCLES));
      context.progress.done();
    }
    const isJudged = turns.length >= PAIRS_TO_JUDGE; // a turn has many starts
    const times = (name, limit) => {
      const figure = spread(turns.flatMap((turn) => turn[name]));
      return { figure, target: `<= ${limit} ms`, holds: isJudged ? figure.median <= limit : null };
    };
    const left = (name, limit) => {
      const figure = spread(turns.map(({ before, after }) => after[name] - before[name]));
      return { figure, target: `<= ${limit}`, holds: isJudged ? figure.max <= limit : null };
    };
    const knows = existsSync('/proc/self/task') && readdirSync('/proc/self/task').length > 0;
    const counts = knows
      ? [
          { name: 'descriptors', ...left('descriptors', 0) },
          { name: 'threads', ...left('threads', 0) },
        ]
      : [];
    return [
      {
        label: 'times of one broker',
        unit: 'ms',
        figures: [
          { name: 'start to first acknowledged record', ...times('acknowledged', 300) },
          { name: 'the same, first broker of a process', figure: spread(turns.map(({ first }) => first)), target: null, holds: null },
          { name: 'stop', ...times('stopped', 200) },
        ],
        runs: { turns },
      },
      { label: `more than before after ${context.quick ? QUICK_CYCLES : CYCLES} cycles`, unit: '', figures: counts, runs: {} },
      {
        label: `memory kept after ${context.quick ? QUICK_CYCLES : CYCLES} cycles, the last half against the first`,
        unit: 'MB',
        figures: [{ name: 'RSS', ...left('rss', 20) }],
        runs: {},
      },
    ];
  },
};
