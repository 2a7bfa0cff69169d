/** What docs/OPERATIONS.md quotes is what the program has: defaults, names of metrics, and words of messages. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BROKER_CONFIG_BY_NAME } from '../../../src/config/table.ts';
import * as metrics from '../../../src/telemetry/metric-table.ts';

const root = join(import.meta.dirname, '../../..');
const page = readFileSync(join(root, 'docs/OPERATIONS.md'), 'utf8');

/** Rows of the table behind a heading, without its head, as cells. */
function rowsBehind(heading: string): string[][] {
  const [, after = ''] = page.split(`\n## ${heading}\n`);
  const lines = after
    .split('\n## ')[0]!
    .split('\n')
    .filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

const codeOf = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code as string);

describe('docs/OPERATIONS.md', () => {
  it.each(rowsBehind('Limits'))('has the limit of %s as it is: %s, %s', (_, setting, value) => {
    const [name = ''] = codeOf(setting);
    expect([`\`${BROKER_CONFIG_BY_NAME.get(name)?.default}\``, name]).toEqual([value, name]);
  });

  it('watches metrics that there are', () => {
    const known = JSON.stringify(metrics);
    const names = rowsBehind('What to watch')
      .flatMap(([what = '']) => codeOf(what))
      .filter((name) => /^(ringlog|kafka|nodejs|process)_/.test(name));
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !known.includes(`"${name}"`))).toEqual([]);
  });

  it('quotes messages that the program has', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
    const sources = files.map((file) => readFileSync(join(root, 'src', file), 'utf8')).join('\n');
    const quotes = rowsBehind('By symptom')
      .flatMap(([what = '']) => codeOf(what))
      .flatMap((quote) => quote.split('…'));
    const parts = quotes.map((part) => part.trim()).filter((part) => part.length > 8 && !part.includes('/'));
    expect(parts.length).toBeGreaterThan(20);
    expect(parts.filter((part) => !sources.includes(part))).toEqual([]);
  });
});
