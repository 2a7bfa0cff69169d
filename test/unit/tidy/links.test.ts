/** Every link between the pages of this repository leads to a file or folder of it, and to a heading where it names one. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../../..');
const pages = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((page) => page !== '' && existsSync(join(root, page)));

const withoutCode = (text: string): string => text.replaceAll(/^```[\s\S]*?^```/gm, '');

/** The name under which a heading is linked: as on GitHub. */
const anchor = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');

const anchorsOf = (text: string): string[] =>
  [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchor(heading as string));

/** Links of `page` that lead nowhere. */
function deadLinks(page: string, text: string): string[] {
  const links = [
    ...withoutCode(text)
      .replaceAll(/`[^`\n]*`/g, '')
      .matchAll(/\]\(([^)\s]+)\)/g),
  ].map(([, link]) => link as string);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = '', heading] = link.split('#');
    const target = path === '' ? page : normalize(join(dirname(page), path));
    if (!existsSync(join(root, target))) return true;
    return heading !== undefined && !anchorsOf(readFileSync(join(root, target), 'utf8')).includes(heading);
  });
}

describe('the documentation', () => {
  it.each(pages)('%s has no link that leads nowhere', (page) => {
    expect(deadLinks(page, readFileSync(join(root, page), 'utf8'))).toEqual([]);
  });

  it('would be caught with one', () => {
    const text = '[a](docs/NOTHING.md) [b](README.md#no-such-heading) [c](README.md#two-commands) [d](https://example.org/) `[e](code)`';
    expect(deadLinks('README.md', text)).toEqual(['docs/NOTHING.md', 'README.md#no-such-heading']);
  });

  it('has an index that names every page of docs/', () => {
    const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
    const own = pages.filter((page) => /^docs\/[A-Z]+\.md$/.test(page) && page !== 'docs/README.md');
    expect(own.filter((page) => !index.includes(`](${page.slice('docs/'.length)})`))).toEqual([]);
  });
});
