/**
 * `npm run interop`: foreign clients against a broker of its own. A line per check, the sums as JSON, and at the end `interop: N passed, N failed`.
 *
 *   npm run interop                              all suites; the text is 200 MB
 *   npm run interop -- kcat java                 only these
 *   npm run interop -- text --big                the acceptance: 5 GB of text (needs about 16 GB of disk)
 *   npm run interop -- text --text-mb 1000       another size
 *   npm run interop -- text --big --via kcat     through kcat alone: minutes instead of an hour
 *   npm run interop -- --set ringlog.durability=page-cache
 *   npm run interop -- --broker kafka            Apache Kafka instead of ringlog: is the check itself right?
 *   npm run interop -- --write-docs              writes docs/COMPATIBILITY.md from this run
 *   npm run interop -- kcat --results FILE       writes its results there; `node test/interop/compatibility.mjs FILE…` makes the document of several runs
 *   npm run interop -- --keep                    keeps the data folder
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { writeCompatibility } from './compatibility.mjs';
import { PROGRAMS } from './features.mjs';
import { RinglogBroker, startPeerKafka } from './lib/broker.mjs';
import { HALVES } from './lib/halves.mjs';
import { cacheFolder } from './lib/places.mjs';
import { Report } from './lib/report.mjs';
import { MissingTool } from './lib/tools.mjs';

const SUITES = HALVES.flat();
const TEXT_MB = 200;
const TEXT_MB_BIG = 5000;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    big: { type: 'boolean', default: false },
    'text-mb': { type: 'string' },
    via: { type: 'string', multiple: true, default: ['kcat', 'console'] },
    set: { type: 'string', multiple: true, default: [] },
    broker: { type: 'string', default: 'ringlog' },
    'work-dir': { type: 'string', default: tmpdir() },
    keep: { type: 'boolean', default: false },
    results: { type: 'string', default: join(cacheFolder, 'results.json') },
    'write-docs': { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});
if (options.help) {
  // The comment at the top of this file is the help.
  const [head] = readFileSync(new URL(import.meta.url), 'utf8').split('*/');
  process.stdout.write(
    `${head
      .replace('/**', '')
      .replaceAll(/^ \* ?/gm, '')
      .trim()}\n\nSuites: ${SUITES.join(', ')}\n`,
  );
  process.exit(0);
}
const wanted = positionals.length === 0 ? SUITES : positionals;
for (const name of wanted) if (!SUITES.includes(name)) throw new Error(`no suite '${name}': ${SUITES.join(', ')}`);

const report = new Report();
const folder = mkdtempSync(join(options['work-dir'], 'ringlog-interop-'));
let broker;

async function runSuite(name) {
  process.stdout.write(`\n--- ${name}\n`);
  const suite = await import(`./suites/${name}.mjs`);
  let tools;
  try {
    tools = suite.tools();
  } catch (error) {
    if (!(error instanceof MissingTool)) throw error;
    return report.missing(name, name, PROGRAMS.has(name) ? name : 'produce-consume', error);
  }
  if (tools.version !== undefined) report.clients.set(name, tools.version);
  process.stdout.write(`${tools.version ?? ''}\n`);
  const textBytes = (options['text-mb'] === undefined ? (options.big ? TEXT_MB_BIG : TEXT_MB) : Number(options['text-mb'])) * 1e6;
  await suite.run({ report, broker, tools, folder, textBytes, isBig: options.big, via: options.via });
}

try {
  broker =
    options.broker === 'kafka'
      ? await startPeerKafka({ folder: join(folder, 'kafka') })
      : await RinglogBroker.start({ folder, settings: options.set });
  process.stdout.write(`${broker.name} on ${broker.address}, in ${folder}\n`);
  for (const name of wanted) await runSuite(name);
  process.stdout.write('\n');
  await report.check('broker', 'restart', 'stops cleanly at the end', () => broker.stop());
  await report.check('broker', 'restart', 'its log has no warning and no error', () => {
    if (broker.complaints.length > 0) throw new Error(broker.complaints.slice(0, 10).join('\n'));
  });
} catch (error) {
  await report.check('runner', 'restart', 'the run itself', () => Promise.reject(error));
} finally {
  if (!options.keep) rmSync(folder, { recursive: true, force: true });
}
mkdirSync(cacheFolder, { recursive: true });
const { results, cannots, skips, clients, counts } = report;
writeFileSync(
  options.results,
  `${JSON.stringify({ broker: broker?.name, clients: [...clients], counts, skips, cannots, results }, null, 1)}\n`,
);
if (options['write-docs']) await writeCompatibility(report);
process.exitCode = report.finish() ? 0 : 1;
