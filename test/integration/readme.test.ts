/** What README.md shows is run as it stands there, against a broker on another port than its 9092. */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { startBroker } from '../support/broker-process.ts';
import { run } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const root = join(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** The first block in `language` behind `place`. */
function snippet(place: string, language: string): string {
  const [, after] = readme.split(place);
  const found = new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(after ?? '')?.[1];
  if (found === undefined) throw new Error(`README.md has no ${language} block behind "${place}"`);
  return found;
}

/** A folder with ringlog and the client as packages. */
function project(): string {
  const folder = temporaryFolder();
  for (const [name, from] of [
    ['ringlog', root],
    ['@platformatic/kafka', join(root, 'node_modules/@platformatic/kafka')],
    ['vitest', join(root, 'node_modules/vitest')],
  ] as const) {
    const to = join(folder, 'node_modules', name);
    mkdirSync(dirname(to), { recursive: true });
    symlinkSync(from, to, 'dir');
  }
  return folder;
}

/** A broker, and its address. Groups do not wait for more members. */
async function brokerAddress(): Promise<string> {
  const { port } = await startBroker({ dataDir: temporaryFolder(), settings: { 'group.initial.rebalance.delay.ms': 0 } });
  return `127.0.0.1:${port}`;
}

async function outputOf(command: string, args: readonly string[], cwd: string): Promise<string> {
  const child = run(command, args, { cwd, env: { ...process.env, RINGLOG_CI_REPORTS: undefined, VITEST: undefined } });
  expect([await child.ended, child.stdout(), child.stderr()]).toEqual([0, expect.any(String), expect.not.stringContaining('rror')]);
  return child.stdout();
}

describe('README.md', () => {
  it.skipIf(process.platform === 'win32').each([
    ['own command line', /^hello\nhello\nreaders: empty, 0 members, lag 0\n/],
    ['## What an acknowledgement means', /\n {2}ringlog\.durability=fsync\n$/],
  ])('has commands that work, behind "%s"', async (place, output) => {
    const npx = `npx() { shift; '${process.execPath}' '${join(root, 'dist/bin.js')}' "$@" --bootstrap ${await brokerAddress()}; }`;
    const commands = snippet(place, 'sh');
    expect(commands).toMatch(/npx ringlog/);
    expect(await outputOf('bash', ['-euo', 'pipefail', '-c', `${npx}\n${commands}`], temporaryFolder())).toMatch(output);
  });

  it('has a program in JavaScript that produces, and consumes as a member of a group', async () => {
    const folder = project();
    const program = snippet('**JavaScript**', 'js');
    expect(program).toContain('127.0.0.1:9092');
    writeFileSync(join(folder, 'demo.mjs'), program.replace('127.0.0.1:9092', await brokerAddress()));
    expect(await outputOf(process.execPath, ['demo.mjs'], folder)).toBe('0n hello from JavaScript\n');
  });

  it('has a program with a broker inside', async () => {
    const folder = project();
    writeFileSync(join(folder, 'embedded.mjs'), snippet('## Inside a program', 'js'));
    expect(await outputOf(process.execPath, ['embedded.mjs'], folder)).toMatch(/^127\.0\.0\.1:\d+\n$/);
  });

  it('has a vitest suite with a broker', async () => {
    const folder = project();
    writeFileSync(join(folder, 'suite.test.ts'), snippet('## Inside a program', 'ts'));
    const vitest = join(root, 'node_modules/vitest/vitest.mjs');
    expect(stripVTControlCharacters(await outputOf(process.execPath, [vitest, 'run', '--root', folder], folder))).toMatch(
      /Tests +1 passed/,
    );
  });
});
