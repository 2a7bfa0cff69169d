/** House rules that no other tool checks. Each says why it is there. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const LINES_MAX = 600;
const README_LINES_MAX = 20;
const LINE_LENGTH_MAX = 180;

function filesBelow(folder: string, ending: RegExp): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && ending.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .sort();
}

const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const sources = filesBelow('src', /\.ts$/);

/** Text without comments and without the contents of strings: what the code does, not what it talks about. */
function codeOf(file: string): string {
  return read(file)
    .replaceAll(/\/\*[\s\S]*?\*\//g, '')
    .replaceAll(/(?<!:)\/\/.*$/gm, '')
    .replaceAll(/'(?:[^'\\\n]|\\.)*'/g, "''");
}

/** Files of src that use `word` in code and are not under one of `places`. */
function usersOutside(word: RegExp, places: readonly string[]): string[] {
  return sources.filter((file) => !places.some((place) => file.startsWith(`src/${place}`)) && word.test(codeOf(file)));
}

describe('the house', () => {
  it('has small files', () => {
    expect(sources.filter((file) => read(file).split('\n').length > LINES_MAX + 1)).toEqual([]);
  });

  it('has a short README in every folder of src', () => {
    const folders = [...new Set(sources.map((file) => dirname(file)))].filter((folder) => folder.split('/').length === 2);
    const wrong = folders.filter((folder) => {
      const readme = join(root, folder, 'README.md');
      return !existsSync(readme) || readFileSync(readme, 'utf8').trimEnd().split('\n').length > README_LINES_MAX;
    });
    expect(wrong).toEqual([]);
  });

  it('begins every source file with what it is', () => {
    // A table of the protocol says it in its name, and what it means is said once, in the schema language.
    const explained = sources.filter((file) => !file.startsWith('src/protocol/apis/'));
    expect(explained.filter((file) => !/^(#!.*\n)?\/\*\*/.test(read(file)))).toEqual([]);
  });

  it('has no endless lines', () => {
    expect(
      sources.filter((file) =>
        read(file)
          .split('\n')
          .some((line) => line.length > LINE_LENGTH_MAX),
      ),
    ).toEqual([]);
  });

  it('touches shared memory only where threads meet', () => {
    expect(usersOutside(/\bAtomics\b/, ['ring/'])).toEqual([]);
    expect(usersOutside(/\bpostMessage\b/, ['ring/', 'jobs/'])).toEqual([]);
  });

  it('reads the environment only in config and entry', () => {
    expect(usersOutside(/\bprocess\.env\b/, ['config/', 'bin.ts'])).toEqual([]);
  });

  it('ends the process only at the edge', () => {
    expect(usersOutside(/\bprocess\.(exit|abort|kill)\b/, ['cli/', 'bin.ts', 'log/counting-disk.ts'])).toEqual([]);
  });

  it('keeps machines pure', () => {
    const machines = sources.filter((file) => file.endsWith('.machine.ts'));
    expect(
      machines.filter((file) => /\b(Date\.now|new Date|performance\.now|Math\.random|process\.|console\.)/.test(codeOf(file))),
    ).toEqual([]);
  });
});

describe('what is committed', () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((file) => file !== '' && existsSync(join(root, file)) && statSync(join(root, file)).size < 2_000_000);

  it('names no place of somebody’s machine', () => {
    // A path below /tmp, /proc or /dev is the same everywhere.
    const machinePath = new RegExp(['/home/[a-z]', '/root/', '/Users/[A-Za-z]', '/wor[k]/', String.raw`[A-Z]:\\Users`].join('|'));
    const wrong = tracked.filter(
      (file) => !/\.(lock|bin|png|jsonl|json)$/.test(file) && file !== 'test/unit/tidy/tidy.test.ts' && machinePath.test(read(file)),
    );
    expect(wrong).toEqual([]);
  });

  it('installs from no particular registry', () => {
    expect(read('package-lock.json')).not.toMatch(/"resolved":/);
  });
});
