/**
 * Writes docs/CLI.md from the tree of commands in `dist/`. With `--check` it writes nothing and fails when the page is not what it would write.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processTerminal } from '../build/cli/process-terminal.js';
import { program } from '../build/cli/program.js';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const page = join(root, 'docs', 'CLI.md');
const WIDTH = 110;

function leaves(command) {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leaves);
}

function pathOf(command) {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** What `--help` prints. */
function help(command) {
  let text = '';
  command.configureOutput({ writeOut: (more) => (text += more), getOutHelpWidth: () => WIDTH });
  command.outputHelp();
  return text.trimEnd();
}

const commands = leaves(program(processTerminal({})));

const text = `# The command line

Generated from the commands themselves by \`npm run docs\`; \`ringlog COMMAND --help\` prints the same.

| command | what it does |
| --- | --- |
${commands.map((command) => `| [\`${pathOf(command)}\`](#${pathOf(command).replaceAll(' ', '-')}) | ${command.description()} |`).join('\n')}

Exit codes, of every command:

| code | meaning |
| --- | --- |
| 0 | done; also when whoever read the output had enough of it (\`\\| head\`) |
| 1 | failed: refused by the broker, not reachable, damage found, … One line on standard error says what, and what to try |
| 2 | called wrongly: nothing was done |
| 130 | interrupted before its work was done. \`consume\` and \`start\` end with 0 at Ctrl-C: that is how they end |

Results go to standard output, everything else to standard error; progress is shown only on a terminal. Every command that talks to a broker works with any Kafka-protocol broker.

${commands.map((command) => `## ${pathOf(command)}\n\n\`\`\`text\n${help(command)}\n\`\`\``).join('\n\n')}
`;

if (!process.argv.includes('--check')) writeFileSync(page, text);
else if (readFileSync(page, 'utf8') !== text) {
  process.stderr.write('docs/CLI.md is not what the commands say; run npm run docs\n');
  process.exitCode = 1;
}
