/**
 * Writes docs/CONFIG.md from the table of settings in `dist/`. With `--check` it writes nothing and fails when the page is not what it would write.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BROKER_CONFIGS, COARSE_SETTINGS } from '../dist/config/broker-table.js';
import { PROFILES } from '../dist/config/profiles.js';
import { BROKER_CONFIG_BY_NAME } from '../dist/config/table.js';
import { TOPIC_CONFIGS } from '../dist/config/topic-table.js';

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
]);

const profileNames = Object.keys(PROFILES);
const profileSettings = [...new Set(profileNames.flatMap((name) => Object.keys(PROFILES[name].values)))];
const profileRows = profileSettings.map((setting) => [
  `\`${setting}\``,
  ...profileNames.map((name) => code(PROFILES[name].values[setting] ?? BROKER_CONFIG_BY_NAME.get(setting).default)),
]);

const text = `<!-- Generated from src/config by \`npm run docs\`. Do not edit. -->

# Settings

Broker settings are given at start: \`npm start -- --set name=value\` or \`ringlog start --set name=value\`, several times if need be. \`--port\`, \`--host\` and \`--data-dir\`
are short for \`listeners\` and \`log.dirs\`. Weakest first: default, profile, flags. Topic settings are given when a topic is created, or changed later, by any admin client or
tool of Kafka's (except that \`kafka-topics.sh --config\` lets only Kafka's own names pass: for ours, \`kafka-configs.sh --alter --add-config\`). Names are Kafka's wherever
Kafka has one; ours begin with \`ringlog.\`. An unknown name or an illegal value is refused with the reason.

## Topic settings

"Default for all topics" names the broker setting that a topic without its own value takes. "Applied" says whether the setting does something today: a value that is not
applied yet is refused, so nothing is ever silently ignored.

${table(['setting', 'what it does', 'type', 'default', 'legal values', 'unit', 'default for all topics', 'applied'], topicRows)}

## Broker settings

The broker-wide defaults of topic settings, in the table above, are broker settings as well. All are read at start. Kafka's
other names of times are taken too: ${COARSE_SETTINGS.map(({ name, of }) => `\`${name}\` for \`${of}\``).join(', ')}; what is given in
milliseconds wins.

${table(['setting', 'what it does', 'type', 'default', 'legal values', 'unit'], brokerRows)}

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
