/**
 * Who may import whom, held as data. Anything not listed is an error. The reasons are in docs/ARCHITECTURE.md; a thread's folder never
 * imports another thread's folder, it reaches the other through a ring.
 */

/** Folder of src → folders of src it may import (besides itself). */
const DIRECTIONS = {
  lib: [],
  config: ['lib'],
  telemetry: ['lib'],
  protocol: ['lib'],
  ring: ['lib'],
  log: ['lib', 'protocol'],
  coordinator: ['lib', 'config', 'protocol'],
  cluster: ['lib', 'config', 'protocol'],
  shard: ['lib', 'config', 'telemetry', 'protocol', 'ring', 'log'],
  replication: ['lib', 'config', 'telemetry', 'protocol', 'ring', 'log'],
  jobs: ['lib', 'config', 'telemetry', 'protocol', 'ring', 'log'],
  // What a job or the HTTP thread is told and answers is plain data, and main hands it over.
  main: ['lib', 'config', 'telemetry', 'protocol', 'ring', 'log', 'coordinator', 'cluster', 'jobs/job.ts', 'http/messages.ts'],
  http: ['lib', 'config', 'telemetry', 'ring/mailbox.ts'],
  // `log verify` and `log dump` look into a data folder as recovery does: storage, topics, batches, and how a batch is decompressed.
  // `start` begins threads before it loads the broker.
  cli: ['broker.ts', 'main/early-shards.ts', 'config', 'lib', 'log', 'cluster', 'protocol', 'jobs/open-batch.ts', 'jobs/decompress.ts'],
};

/** File of src → what it may import. `broker.ts` is the composition root and may import everything but the command line. */
const TOP_FILES = {
  'bin.ts': ['cli', 'config', 'lib'],
  'index.ts': ['broker.ts', 'config', 'lib'],
  'broker.ts': Object.keys(DIRECTIONS).filter((folder) => folder !== 'cli'),
};

/** Module → the only places of src that may import it. */
const DOORS = {
  'fs|fs/promises': [
    'log/[^/]*disk[^/]*',
    'main/segment-reader',
    'config/',
    'jobs/',
    'cluster/lmdb-file',
    'cluster/embedded-metadata-store',
    'cli/parent',
    'cli/connection',
    'cli/commands/produce',
    'cli/bench/own-broker',
    'cli/doctor/',
    'cli/offline/folder',
  ],
  'net|tls': ['main/', 'replication/', 'config/lock', 'config/address-limits', 'cli/doctor/broker'],
  'http|http2|https|fastify': ['http/'],
  child_process: ['cli/parent', 'cli/bench/own-broker'],
  lmdb: ['cluster/embedded-metadata-store'],
  pino: ['telemetry/logger'],
  commander: ['cli/'],
  // The client library of the command line is put into this file by the build: docs/decisions/0018-command-line-client.md.
  '@platformatic/kafka': ['cli/kafka/library'],
  yaml: ['config/config-file'],
  'prom-client': ['http/metrics-page'],
  piscina: ['main/', 'jobs/', 'broker'],
};

const place = (name) => (name.endsWith('.ts') ? `${name.replaceAll('.', '\\.')}$` : `${name}/`);

function directionRule(name, allowed) {
  const places = [name, ...allowed].map(place).join('|');
  return {
    name: `direction-${name}`,
    severity: 'error',
    comment: allowed.length === 0 ? `src/${name} imports nothing of ours` : `src/${name} may import ${allowed.join(', ')}`,
    from: { path: `^src/${place(name)}` },
    to: { path: '^src/', pathNot: `^src/(${places})` },
  };
}

function doorRule([modules, places]) {
  return {
    name: `door-${modules.split('|')[0]}`,
    severity: 'error',
    comment: `only ${places.join(', ')} may import ${modules}`,
    from: { path: '^src/', pathNot: `^src/(${places.join('|')})` },
    to: { path: `^(node:)?(${modules})$|^node_modules/(${modules})/` },
  };
}

const listed = [...Object.keys(DIRECTIONS), ...Object.keys(TOP_FILES)].map(place).join('|');

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...Object.entries(DIRECTIONS).map(([name, allowed]) => directionRule(name, allowed)),
    ...Object.entries(TOP_FILES).map(([name, allowed]) => directionRule(name, allowed)),
    ...Object.entries(DOORS).map(doorRule),
    {
      name: 'unlisted-place',
      severity: 'error',
      comment: 'a folder or file of src without directions',
      from: { path: '^src/', pathNot: `^src/(${listed})` },
      to: {},
    },
    {
      name: 'no-circles',
      severity: 'error',
      comment: 'circles of types alone are fine: they are gone at run time',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-development-packages-in-src',
      severity: 'error',
      comment: 'but for those that the build puts inside: docs/decisions/0018 and 0025',
      from: { path: '^src/', pathNot: '^src/cli/kafka/library\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], pathNot: '^node_modules/(commander|msgpackr)/' },
    },
    { name: 'src-imports-src-only', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|perf|dist|build|\\.ci)/' } },
    {
      name: 'pure-machines',
      severity: 'error',
      comment: 'a machine has no clock, no random source, no file, no socket',
      from: { path: '^src/.*\\.machine\\.ts$' },
      to: { dependencyTypes: ['core', 'npm'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types', 'default'] },
  },
};
