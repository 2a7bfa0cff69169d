// The command line of the harness.
import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { PEERS } from './peer-names.mjs';

const perfDir = dirname(dirname(fileURLToPath(import.meta.url)));
export const outDir = join(perfDir, 'out');

const DURABILITIES = ['memory', 'page-cache', 'fsync'];
const PROFILES = ['latency', 'balanced', 'throughput'];
const PAIRS = 5;
const WARMUP_SECONDS = 30;
const QUICK_WARMUP_SECONDS = 4;

const OPTIONS = {
  peer: { type: 'string', multiple: true, default: [] },
  durability: { type: 'string' },
  profile: { type: 'string' },
  quick: { type: 'boolean', default: false },
  pairs: { type: 'string' },
  resume: { type: 'boolean', default: false },
  phase: { type: 'string' },
  points: { type: 'string' },
  only: { type: 'string' },
  axis: { type: 'string' },
  'peer-warmup': { type: 'string' },
  bytes: { type: 'string' },
  seconds: { type: 'string' },
  scale: { type: 'string' },
  dir: { type: 'string', default: join(outDir, 'work') },
  bin: { type: 'string' },
  set: { type: 'string', multiple: true, default: [] },
  settle: { type: 'string', default: '0.5' },
  'recycle-wait': { type: 'string', default: '5' },
  json: { type: 'string' },
  html: { type: 'string', default: join(outDir, 'report.html') },
  help: { type: 'boolean', default: false },
};

/** All scenarios by name. */
export async function loadScenarios() {
  const folder = join(perfDir, 'scenarios');
  const names = readdirSync(folder).filter((name) => name.endsWith('.mjs'));
  const modules = await Promise.all(names.map((name) => import(pathToFileURL(join(folder, name)).href)));
  return new Map(modules.map((module) => [module.default.name, module.default]));
}

export function helpText(scenarios) {
  const list = [...scenarios.values()].map(({ name, summary, peers = [] }) => {
    const against = peers.length > 0 ? ` [${peers.join(', ')}]` : '';
    return `  ${name.padEnd(22)} ${summary}${against}`;
  });
  const lookable = [...scenarios.values()].filter((scenario) => scenario.look).map(({ name }) => name);
  return `perf: measures ringlog against the native floor and peers, taking turns

usage: npm run perf -- SCENARIO ... [options]      several scenarios, or 'all'
       npm run perf -- micro [--quick] [--only W]  single functions: codec, ring, CRC, batch view
       npm run perf -- alloc [--quick]             bytes allocated per batch and per fetch, against a budget
       npm run perf -- model [--quick]             formulas of what cost grows with, predictions beside measurements
       npm run perf -- look SCENARIO ...           what limits ringlog under ${lookable.join(', ')}: flame graph, threads, system calls
       npm run perf -- report [FILE.jsonl ...]     an HTML page of results that are there (default perf/out/results.jsonl)

scenarios [peers each can be measured against]
${list.join('\n')}

options
  --peer NAME         ${PEERS.join(', ')} or all; may be repeated. Fetched at first use
  --durability D      ${DURABILITIES.join(', ')}: of the topics, where a scenario leaves it open
  --profile P         ${PROFILES.join(', ')}: ringlog's, default its own default
  --quick             one short turn of everything, --scale 0.1: shows that it runs and where figures are, no verdict. 'all' beside kafka: about 25 minutes
  --pairs N           turns of each side, default ${PAIRS} (1 with --quick; the soak always has one); fewer than 5 show figures, no verdict
  --resume            leave out scenarios that perf/out/results.jsonl has of this commit with the same options on the same machine,
                      with no peer missing
  --phase LIST        bulk scenarios: fresh,steady,sustained (default: all)
  --points LIST       end-to-end, fan-out, partitions, connections: some of their points, e.g. 10000 (default: all; with --quick the first and the last)
  --only LIST         only sides whose names begin so, e.g. --only ringlog,floor
  --axis LIST         model: only load, partitions, connections, groups, stored
  --peer-warmup S     load before a peer is measured, default ${WARMUP_SECONDS} (${QUICK_WARMUP_SECONDS} with --quick); less than ${WARMUP_SECONDS} shows figures, no verdict
  --bytes SIZE        bulk, catch-up, recovery: bytes instead of the default, e.g. 256m
  --seconds S         measured seconds where a load lasts a time, of bulk only sustained
  --scale F           scenarios with many connections or partitions: a part of their size, e.g. 0.01 to try them
  --dir D             where brokers keep their data: the disk that is measured (default perf/out/work)
  --bin FILE          broker to start, default dist/bin.js
  --set K=V           broker config, may be repeated
  --settle S          rest before measuring, default 0.5
  --recycle-wait S    steady: after deleting the filled topic, default 5
  --json FILE         raw results of this call (scenarios, micro, alloc), which are appended to perf/out/results.jsonl in any case
  --html FILE         the page with charts, of scenarios and report, default perf/out/report.html

examples
  npm run perf -- bulk --durability fsync --phase fresh --peer kafka
  npm run perf -- small end-to-end --peer kafka --peer nats
  npm run perf -- all --peer all --resume
  npm run perf -- all --quick --peer kafka
  npm run perf -- small --only floor --pairs 1 --seconds 3
  npm run perf -- look bulk --durability fsync --phase fresh --seconds 10`;
}

function parseSize(text) {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text);
  if (!match) throw new Error(`--bytes: '${text}' is not a size (examples: 64m, 2g)`);
  return Math.floor(Number(match[1]) * { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 }[match[2].toLowerCase()]);
}

function number(text, what, least = 0) {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= least)) throw new Error(`--${what}: '${text}' is not a number of at least ${least}`);
  return value;
}

function aboveZero(text, what) {
  const value = number(text, what);
  if (value === 0) throw new Error(`--${what}: '${text}' is not above 0`);
  return value;
}

function oneOf(value, what, known) {
  if (value !== undefined && !known.includes(value)) throw new Error(`--${what}: '${value}' is not known, only ${known.join(', ')}`);
  return value;
}

function parsePeers(values) {
  const names = values.flatMap((value) => value.split(','));
  if (names.includes('all')) return PEERS;
  for (const name of names) oneOf(name, 'peer', [...PEERS, 'all']);
  return [...new Set(names)];
}

/**
 * @param {string[]} args
 * @returns the words, and what scenarios are told; `identity` are the options that a result depends on
 */
export function parseCommand(args) {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const peers = parsePeers(values.peer);
  const pairs = number(values.pairs ?? String(values.quick ? 1 : PAIRS), 'pairs', 1);
  if (!Number.isInteger(pairs)) throw new Error(`--pairs: '${values.pairs}' is not a whole number`);
  const context = {
    pairs,
    peers,
    quick: values.quick,
    durability: oneOf(values.durability, 'durability', DURABILITIES),
    profile: oneOf(values.profile, 'profile', PROFILES),
    phases: values.phase?.split(',').map((phase) => oneOf(phase, 'phase', ['fresh', 'steady', 'sustained'])),
    points: values.points?.split(',').map((point) => number(point, 'points', 1)),
    only: values.only?.split(','),
    peerWarmup: number(values['peer-warmup'] ?? String(values.quick ? QUICK_WARMUP_SECONDS : WARMUP_SECONDS), 'peer-warmup'),
    bytes: values.bytes ? parseSize(values.bytes) : undefined,
    seconds: values.seconds ? number(values.seconds, 'seconds', 0.1) : undefined,
    scale: aboveZero(values.scale ?? (values.quick ? '0.1' : '1'), 'scale'),
    settings: values.set,
    settleMs: 1000 * number(values.settle, 'settle'),
    recycleMs: 1000 * number(values['recycle-wait'], 'recycle-wait'),
    ...(values.bin ? { bin: resolve(values.bin) } : {}),
  };
  const { resume: _resume, axis: _axis, dir, json, html, help: _help, ...identity } = values;
  return {
    words: positionals,
    context,
    axes: values.axis?.split(','),
    identity: { ...identity, peer: peers },
    help: values.help,
    resume: values.resume,
    dir: resolve(dir),
    html: resolve(html),
    ...(json ? { json: resolve(json) } : {}),
  };
}
