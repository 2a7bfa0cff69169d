/**
 * Writes docs/CONFIG.md from the table of settings in `dist/`. With `--check` it writes nothing and fails when the page is not what it would write.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BROKER_CONFIGS, COARSE_SETTINGS } from '../build/config/broker-table.js';
import { environmentName } from '../build/config/environment.js';
import { PROFILES } from '../build/config/profiles.js';
import { BROKER_CONFIG_BY_NAME } from '../build/config/table.js';
import { TOPIC_CONFIGS } from '../build/config/topic-table.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, 'docs', 'CONFIG.md');

const LONG_MAX = '9223372036854775807';
const cell = (text) => text.replaceAll('|', '\\|');
const code = (text) => (text === '' ? '(empty)' : text === LONG_MAX ? 'no limit' : `\`${text}\``);

function legal({ type, min, max, validValues }) {
  if (validValues !== undefined) return validValues.map((value) => `\`${value}\``).join(', ');
  if (type === 'BOOLEAN') return '`true`, `false`';
  if (min === undefined && max === undefined) return '';
  if (max === undefined) return `≥ ${min}`;
  return `${min ?? ''} … ${max}`;
}

function applied({ state }) {
  if (state.kind === 'applied') return 'yes';
  if (state.kind === 'notApplicable') return `without effect: ${state.why}`;
  const also = state.alsoAccepted.length === 0 ? '' : ` (accepted: ${state.alsoAccepted.map((value) => `\`${value}\``).join(', ')})`;
  return `not yet: ${state.why}${also}`;
}

function table(heads, rows) {
  return [
    `| ${heads.join(' | ')} |`,
    `| ${heads.map(() => '---').join(' | ')} |`,
    ...rows.map((row) => `| ${row.map(cell).join(' | ')} |`),
  ].join('\n');
}

const topicRows = TOPIC_CONFIGS.map((setting) => [
  `\`${setting.name}\``,
  setting.doc,
  setting.type,
  code(setting.default),
  legal(setting),
  setting.unit ?? '',
  setting.brokerName === undefined ? '' : `\`${setting.brokerName}\``,
  applied(setting),
]);

const brokerRows = BROKER_CONFIGS.map((setting) => [
  `\`${setting.name}\``,
  setting.doc,
  setting.type,
  code(setting.default),
  legal(setting),
  setting.unit ?? '',
  `\`${environmentName(setting.name)}\``,
  setting.dynamic ? 'yes' : '',
]);

const defaultRows = TOPIC_CONFIGS.filter(({ brokerName }) => brokerName !== undefined).map(({ name, brokerName }) => [
  `\`${brokerName}\``,
  `\`${name}\``,
  `\`${environmentName(brokerName)}\``,
  BROKER_CONFIG_BY_NAME.get(brokerName).dynamic ? 'yes' : '',
]);

const profileNames = Object.keys(PROFILES);
const profileSettings = [...new Set(profileNames.flatMap((name) => Object.keys(PROFILES[name].values)))];
const profileRows = profileSettings.map((setting) => [
  `\`${setting}\``,
  ...profileNames.map((name) => code(PROFILES[name].values[setting] ?? BROKER_CONFIG_BY_NAME.get(setting).default)),
]);

const text = `<!-- Generated from src/config by \`npm run docs\`. Do not edit. -->

# Settings

Names are Kafka's wherever Kafka has one; ours begin with \`ringlog.\`. An unknown name or an illegal value is refused, with the place where it was set, the reason, and the
nearest name there is.

## Where settings come from

Settings of the broker, the weakest first; a later one wins:

| layer | how | for example |
| --- | --- | --- |
| default | the tables below | |
| profile | \`ringlog.profile\`, see [Profiles](#profiles) | \`ringlog.profile: latency\` |
| file | \`ringlog start --config FILE\`, or the file that \`RINGLOG_CONFIG\` names: YAML or JSON, names written out or nested | \`log.segment.bytes: 2000000\` |
| environment | \`RINGLOG_\` and the name in capitals, with \`_\` for \`.\`; a leading \`ringlog.\` is said once | \`RINGLOG_LOG_SEGMENT_BYTES\`, \`RINGLOG_DURABILITY\` |
| flag | \`--set name=value\`, several times if need be; \`--port\`, \`--host\` and \`--data-dir\` are short for \`listeners\` and \`log.dirs\` | \`--set num.partitions=4\` |
| default of all brokers | AlterConfigs or IncrementalAlterConfigs of a broker without name, while it runs | \`kafka-configs.sh --alter --entity-type brokers --entity-default --add-config …\` |
| this broker | the same of the broker by its number | \`kafka-configs.sh --alter --entity-type brokers --entity-name 1 --add-config …\` |

The last two take the settings that are "dynamic" below. They are checked together with all others, kept in the data folder, in force when they are answered, and shown with
all their sources by DescribeConfigs. The level of the log can also be changed as Kafka's broker logger \`root\`, until the broker ends.

A broker inside a program (\`Broker.start\`) reads neither file nor environment; its \`settings\` count as flags.

A variable that begins with \`RINGLOG_\` and belongs to no setting is refused, except \`RINGLOG_CONFIG\`, those of this repository's own tools, and those that Kubernetes sets for a
service called ringlog.

Topic settings are given when a topic is created, or changed later, by any admin client or tool of Kafka's (except that \`kafka-topics.sh --config\` lets only Kafka's own names
pass: for ours, \`kafka-configs.sh --alter --add-config\`). All of them may be changed at any time.

## Topic settings

"Default for all topics" names the broker setting that a topic without its own value takes. "Applied" says whether the setting does something today: a value that is not
applied yet is refused, so nothing is ever silently ignored.

${table(['setting', 'what it does', 'type', 'default', 'legal values', 'unit', 'default for all topics', 'applied'], topicRows)}

## Broker settings

"Dynamic" ones may be changed while the broker runs, all others are read at start. Kafka's other names of times are taken at start too:
${COARSE_SETTINGS.map(({ name, of }) => `\`${name}\` for \`${of}\``).join(', ')}; what is given in milliseconds wins.

${table(['setting', 'what it does', 'type', 'default', 'legal values', 'unit', 'environment', 'dynamic'], brokerRows)}

### Defaults for all topics

Broker settings as well, with the type, default and legal values of the topic setting. A change while the broker runs is in force at once for every topic that has no value of
its own; one of \`ringlog.durability\` moves their partitions first.

${table(['setting', 'default of', 'environment', 'dynamic'], defaultRows)}

## Profiles

\`ringlog.profile\` moves several defaults at once. Whatever is set by itself wins over the profile.

${profileNames.map((name) => `- \`${name}\`: ${PROFILES[name].doc}`).join('\n')}

${table(['setting', ...profileNames], profileRows)}
`;

if (process.argv.includes('--check')) {
  let found = '';
  try {
    found = readFileSync(page, 'utf8');
  } catch {
    // A missing page differs, too.
  }
  if (found !== text) {
    process.stderr.write('docs/CONFIG.md is not what the table of settings says: run npm run docs and commit it\n');
    process.exitCode = 1;
  }
} else {
  writeFileSync(page, text);
}
