/** docs/COMPATIBILITY.md from a run, or, given files of results as arguments, from several: client × feature. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { FEATURES, PROGRAMS } from './features.mjs';
import { root } from './lib/places.mjs';

const path = join(root, 'docs', 'COMPATIBILITY.md');
const COLUMNS = ['kcat', 'python', 'java', 'franz-go', 'rust', 'kafkajs', 'platformatic', 'console'];

/** Where a client says what it can do. */
const DOCUMENTATION = {
  kcat: 'https://github.com/edenhill/kcat#readme',
  python: 'https://docs.confluent.io/platform/current/clients/confluent-kafka-python/html/index.html',
  java: 'https://kafka.apache.org/43/javadoc/index.html',
  'franz-go': 'https://pkg.go.dev/github.com/twmb/franz-go/pkg/kadm',
  rust: 'https://docs.rs/rdkafka/latest/rdkafka/admin/struct.AdminClient.html',
  kafkajs: 'https://kafka.js.org/docs/admin',
  platformatic: 'https://github.com/platformatic/kafka/blob/main/docs/admin.md',
  console: 'https://kafka.apache.org/documentation/#operations',
};

const NOTES = `## What to know

- **Idempotent producers** are Java's and franz-go's default. librdkafka (kcat, Python, Rust) has it off by default: set \`enable.idempotence=true\`, and a batch that the network
  repeats, or that is sent again because its answer was lost, is in the log once.
- **Consumer groups** are those of the classic protocol, which every client uses unless told otherwise: leave Java's and librdkafka's \`group.protocol\` at \`classic\`.
  Python's Consumer wants a \`group.id\` even for \`assign\`, and then does not use it; switch \`enable.auto.commit\` off. The consumers of kafkajs and the streams of
  @platformatic/kafka always join a group; what does not speak of groups was read with the Fetch they are built on (@platformatic/kafka: \`Consumer.fetch\`).
- **A group that is new waits 3 s for more members** before its first assignment, as in Kafka (\`group.initial.rebalance.delay.ms\`).
- **Transactions** are refused at once. librdkafka and Java say why in the broker's words; franz-go and @platformatic/kafka say UNSUPPORTED_VERSION, kafkajs “Failed to
  find group coordinator”. To librdkafka it looks like a failed authorization: every other error makes it ask again until its time is up.
- **@platformatic/kafka 2.12.1** writes wrong timestamps when those of one batch lie more than 2³¹ ms (24 days) apart.
- **@platformatic/kafka 2.12.1** drops offsets when a stream is closed while it commits by itself: it waits for that commit, not for what was queued meanwhile, and the next
  member gets those records again. Commit by hand, or see that what was read is committed before \`close()\`.
- **The rdkafka crate 0.39.0** does not pass on what a broker says against \`describe_configs\` and \`alter_configs\` of one topic: no settings, or \`Ok\`. A consumer of it with a
  \`group.instance.id\` never comes back from being dropped (librdkafka 2.12.1; Python's with 2.16 does): leave that to a thread, or to the end of the process.
- **User interfaces**: kaskade is a well-known one in the terminal. Kafdrop, AKHQ, Redpanda Console and Kafbat UI are in no package registry that this suite could install
  from, and were not tried.
- **lz4 with librdkafka before 2.11.1** (Debian's kcat): such a client compresses with lz4 only when it is offered FindCoordinator 0. It is; a proxy that hides it makes
  it send without compression, and it does not say so.
`;

/** What a row is for a client: `works`, or why not, with a footnote. */
function cellOf({ results, cannots }, client, feature, footnote) {
  const tried = results.filter((result) => result.client === client && result.feature === feature);
  const failed = tried.filter(({ outcome }) => outcome === 'fails');
  if (failed.length > 0) return `**fails** ${footnote(failed.map(({ name, note }) => `${name}: ${note.split('\n')[0]}`).join('; '))}`;
  const refused = tried.find(({ outcome }) => outcome === 'not-served');
  if (refused !== undefined) return `not yet ${footnote(`“${refused.note}”`)}`;
  if (tried.length > 0) return 'works';
  const cannot = cannots.find((entry) => entry.client === client && entry.feature === feature);
  return cannot === undefined ? 'not tried' : `– ${footnote(`the client ${cannot.why} ([its documentation](${DOCUMENTATION[client]}))`)}`;
}

/** A line for each check of a program that works with a broker. */
function programRows({ results, clients }) {
  const tried = results.filter(({ feature }) => PROGRAMS.has(feature));
  const cell = ({ outcome, note }) => (outcome === 'fails' ? `**fails**: ${note.split('\n')[0]}` : 'works');
  return tried.map((result) => [
    `${PROGRAMS.get(result.feature)}: ${clients.get(result.client) ?? result.client}`,
    result.name,
    cell(result),
  ]);
}

export function compatibilityOf(report, clients) {
  const notes = [];
  const footnote = (text) => {
    if (!notes.includes(text)) notes.push(text);
    return `(${notes.indexOf(text) + 1})`;
  };
  const rows = [...FEATURES].map(([feature, title]) => [title, ...COLUMNS.map((client) => cellOf(report, client, feature, footnote))]);
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    '<!-- Generated by `npm run interop -- --write-docs` from a run. Do not edit. -->',
    '',
    '# Compatibility',
    '',
    'Foreign clients against ringlog, as the tests in `test/interop` found them. "works": every check of that row passed. "not yet": ringlog does not serve it yet;',
    'the footnote has what the client says about it. "–": that client has no such feature.',
    '',
    line(['', ...COLUMNS.map((client) => clients.get(client) ?? client)]),
    line(['---', ...COLUMNS.map(() => '---')]),
    ...rows.map(line),
    '',
    '## Programs',
    '',
    line(['', 'tried', '']),
    line(['---', '---', '---']),
    ...programRows(report).map(line),
    '',
    '## Notes',
    '',
    ...notes.map((note, index) => `${index + 1}. ${note}`),
    '',
    NOTES,
    '## Shown by',
    '',
    '`npm run interop` runs all of it (`npm run interop -- kcat` one suite), `npm run interop -- text --big` the round trip of 5 GB of text.',
    '',
  ].join('\n');
}

/** The rows of a client that was not run would be lost, so all have to be there. */
export async function writeCompatibility(report) {
  const missing = [...COLUMNS, ...PROGRAMS.keys()].filter((client) => !report.clients.has(client));
  if (missing.length > 0) {
    process.stdout.write(`docs/COMPATIBILITY.md stays as it is: ${missing.join(', ')} did not run\n`);
    return;
  }
  const text = await format(compatibilityOf(report, report.clients), { ...(await resolveConfig(path)), filepath: path });
  writeFileSync(path, text);
  process.stdout.write(`${readFileSync(path, 'utf8').split('\n').length} lines written to docs/COMPATIBILITY.md\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const runs = process.argv.slice(2).map((file) => JSON.parse(readFileSync(file, 'utf8')));
  const all = (key) => runs.flatMap((run) => run[key]);
  await writeCompatibility({ results: all('results'), cannots: all('cannots'), clients: new Map(all('clients')) });
}
