/** The pure parts of `npm run perf -- look`: what is said of a profile, of the kernel's counters and of strace's table must be what they hold. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { boxesOf, flameGraph } from '../../../perf/look/flame.mjs';
import {
  emptyTree,
  foldProfile,
  kindOf,
  longestPauseUs,
  selfTimes,
  sharesOf,
  SLEEPERS,
  type CpuProfile,
  type Tree,
} from '../../../perf/look/profile.mjs';
import { relativePlace, Sources } from '../../../perf/look/sources.mjs';
import { parseCounts } from '../../../perf/look/strace.mjs';
import { callTable, markdownTable, topText } from '../../../perf/look/tables.mjs';
import { Names, parseStat, parseSwitches, ratesByKind, type ThreadCounters } from '../../../perf/look/threads.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));

const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber, columnNumber: 0 });
const placeOf = ({ url, lineNumber }: { url: string; lineNumber: number }): string => (url ? `${url}:${lineNumber + 1}` : '');
const ALWAYS = { fromUs: 0, toUs: 1e9 };

/** (root) → work → fdatasync, (root) → (idle), (root) → (garbage collector), (root) → other → work. */
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 4, 5, 6] },
    { id: 2, callFrame: frame('work', 'src/a.ts', 6), children: [3] },
    { id: 3, callFrame: frame('fdatasync') },
    { id: 4, callFrame: frame('(idle)') },
    { id: 5, callFrame: frame('(garbage collector)') },
    { id: 6, callFrame: frame('', 'src/b.ts', 0), children: [7] },
    { id: 7, callFrame: frame('work', 'src/a.ts', 6) },
  ],
  samples: [2, 3, 4, 5, 5, 7, 4],
  timeDeltas: [100, 1000, 2000, 3000, 500, 700, 900],
  startTime: 5000,
};
const folded = (time = ALWAYS): Tree => foldProfile(emptyTree(), profile, time, placeOf);
const child = (tree: Tree | undefined, name: string): Tree | undefined =>
  [...(tree?.children.values() ?? [])].find((one) => one.name === name);

describe('folding a profile', () => {
  it('gives each sample the time until the next one, and each caller what its callees have', () => {
    const tree = folded();
    expect(tree.total).toBe(8100);
    expect(child(tree, 'work')).toMatchObject({ place: 'src/a.ts:7', self: 1000, total: 3000 });
    expect(child(child(tree, 'work'), 'fdatasync')).toMatchObject({ place: '', self: 2000, total: 2000 });
    expect(child(tree, '(anonymous)')).toMatchObject({ self: 0, total: 900 });
  });

  it('counts only what falls into the time that is looked at, and cuts samples at its ends', () => {
    // Samples begin at 5100, 6100, 8100, 11100 …
    const tree = folded({ fromUs: 5600, toUs: 7100 });
    expect(tree.total).toBe(1500);
    expect(child(tree, 'work')).toMatchObject({ self: 500, total: 1500 });
  });

  it('adds profiles of the same kind of thread into one tree', () => {
    const tree = foldProfile(folded(), profile, ALWAYS, placeOf);
    expect(tree.total).toBe(16_200);
    expect(tree.children.size).toBe(4);
  });

  it("sums a function's own time over its callers, largest first, and tells what the time is spent on", () => {
    expect(selfTimes(folded()).map(({ name, self, kind }) => [name, self, kind])).toEqual([
      ['(idle)', 3000, 'wait'],
      ['fdatasync', 2000, 'sync'],
      ['work', 1900, 'ours'],
      ['(garbage collector)', 1200, 'gc'],
    ]);
    expect(sharesOf(folded()).gc).toBeCloseTo(1200 / 8100);
    expect(topText(folded())).toBe('25 fdatasync · 23 work a.ts:7 · 15 (garbage collector)');
  });

  it('finds the longest time in the garbage collector', () => {
    expect(longestPauseUs(profile, ALWAYS)).toBe(1200);
    expect(longestPauseUs(profile, { fromUs: 0, toUs: 11_200 })).toBe(500);
  });
});

describe('what time is spent on', () => {
  it('tells Node, packages and native code from ours', () => {
    const kinds = ['node:fs:1', 'node_modules/lmdb/x.js:3', '', 'src/main/produce.ts:9'].map((place) => kindOf('f', place));
    expect(kinds).toEqual(['node', 'package', 'native', 'ours']);
  });

  it('knows every function of ours and of piscina that sleeps on shared memory', () => {
    const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).map((file) => join('src', file));
    const sleepy = [...files.filter((file) => file.endsWith('.ts')), 'node_modules/piscina/dist/worker.js'].flatMap((file) => {
      const lines = readFileSync(join(root, file), 'utf8').split('\n');
      return lines.flatMap((line, at) => (/^\s*(?![*/\s]).*Atomics\.wait\(/.test(line) ? [{ file, name: functionAround(lines, at) }] : []));
    });
    expect(sleepy.length).toBeGreaterThan(0);
    expect(new Set(sleepy.map(({ file, name }) => `${name} ${file}`))).toEqual(
      new Set(SLEEPERS.map(({ file, name }) => `${name} ${file}`)),
    );
    for (const { name, file } of SLEEPERS) expect(['wait', 'sync']).toContain(kindOf(name, `${file}:1`));
  });
});

/** The nearest line above that begins a function or a method. */
function functionAround(lines: readonly string[], at: number): string | undefined {
  for (let line = at; line >= 0; line--) {
    const found = /^(?:export )?(?:async )?function (\w+)|^ {2}(?:private )?(\w+)\(.*\{$/.exec(lines[line] ?? '');
    if (found) return found[1] ?? found[2];
  }
  return undefined;
}

describe('places of functions', () => {
  it('are relative to the project, and no folder of the machine is in them', () => {
    expect(relativePlace('/somewhere/ringlog/src/a.ts', '/somewhere/ringlog')).toBe('src/a.ts');
    expect(relativePlace('/usr/lib/node_modules/x/y.js', '/somewhere/ringlog')).toBe('node_modules/x/y.js');
    expect(relativePlace('/somewhere/secret/z.js', '/somewhere/ringlog')).toBe('…/z.js');
  });

  it('count lines from one; what has no file has no place', () => {
    const sources = new Sources('/somewhere/ringlog');
    expect(sources.placeOf(frame('f', 'file:///somewhere/ringlog/none/f.js', 9))).toBe('none/f.js:10');
    expect(sources.placeOf(frame('readSync', 'node:fs', 0))).toBe('node:fs:1');
    expect(sources.placeOf(frame('(program)'))).toBe('');
  });
});

describe('a flame graph', () => {
  it('is as wide as the time: a callee lies below its caller, within it, the larger one first', () => {
    const boxes = boxesOf(folded(), 810, 0);
    const of = (name: string) => boxes.find(({ node }) => node.name === name);
    expect(of('root')).toMatchObject({ x: 0, depth: 0, width: 810 });
    expect(of('fdatasync')).toMatchObject({ depth: 2, width: 200 });
    expect(of('fdatasync')?.x).toBe(of('work')?.x);
    const row = boxes.filter(({ depth }) => depth === 1);
    expect(row.map(({ width }) => width)).toEqual([300, 300, 120, 90]);
    expect(row.map(({ x }) => x)).toEqual([0, 300, 600, 720]);
  });

  it('leaves out what is below the least share, with all that it calls', () => {
    expect(boxesOf(folded(), 810, 0.12).map(({ node }) => node.name)).not.toContain('(anonymous)');
    expect(boxesOf(folded(), 810, 0.11).map(({ node }) => node.name)).toContain('(anonymous)');
  });

  it('is a whole document whose names cannot break out of it', () => {
    const tree = emptyTree();
    tree.total = 10;
    tree.children.set('x', { ...emptyTree(`<script>"a" & 'b'`, 'src/x.ts:1'), self: 10, total: 10 });
    const svg = flameGraph({ title: 'a < b', subtitle: '', panels: [{ name: 'main & more', note: '', tree }] });
    const [drawing] = svg.split('<script><![CDATA[');
    expect(drawing).toContain(`<title>&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39; src/x.ts:1\n100.0 %, itself 100.0 %</title>`);
    expect(drawing).toContain('a &lt; b');
    expect(drawing).toContain('main &amp; more');
    expect(drawing).not.toContain('<script>');
    expect(svg).toMatch(/\]\]><\/script>\n<\/svg>\n$/);
    expect(svg).not.toMatch(/(?:src|href)=/);
  });
});

describe('counters of threads', () => {
  const stat = (comm: string) => `17 (${comm}) S 1 1 1 0 -1 4194304 140 0 0 0 250 75 0 0 20 0 1 0 6250058 3133440 362`;

  it('are read past whatever a thread is called', () => {
    expect(parseStat(stat('a) R (b'))).toEqual({ comm: 'a) R (b', userSeconds: 2.5, systemSeconds: 0.75 });
    expect(parseSwitches('Name:\tnode\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n')).toEqual({
      voluntary: 12,
      involuntary: 3,
    });
  });

  it('are summed by kind, a second, busiest first; a thread that began meanwhile counts from nothing', () => {
    const counters = (userSeconds: number, voluntary: number): ThreadCounters => ({
      userSeconds,
      systemSeconds: 0,
      queuedSeconds: 0,
      voluntary,
      involuntary: 0,
    });
    const lines = [
      { name: 'main', threadId: 0, kernelId: 10, v8: [11, 12] },
      { name: 'sync helpers', threadId: 3, kernelId: 20, v8: [] },
      { name: 'sync helpers', threadId: 4, kernelId: 21, v8: [] },
    ];
    const names = new Names(lines.map((line) => JSON.stringify(line)).join('\n'));
    const before = {
      atMs: 1000,
      threads: new Map([
        [10, counters(1, 100)],
        [11, counters(0, 0)],
        [13, counters(0, 5)],
        [20, counters(2, 0)],
      ]),
    };
    const after = {
      atMs: 3000,
      threads: new Map([...before.threads, [10, counters(2, 300)], [20, counters(4, 10)], [21, counters(1, 30)], [13, counters(0, 9)]]),
    };
    const rates = ratesByKind(before, after, names).map(({ name, threads, userSeconds, voluntary }) => [
      name,
      threads,
      userSeconds,
      voluntary,
    ]);
    expect(rates).toEqual([
      ['sync helpers', 2, 1.5, 20],
      ['main', 1, 0.5, 100],
      ['V8 helpers', 1, 0, 0],
      ['libuv pool', 1, 0, 2],
    ]);
    expect(names.byThreadId.get(4)).toBe('sync helpers');
  });
});

describe('counts of system calls', () => {
  const TABLE = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 77.51    0.000393           2       400           epoll_pwait
 22.49    0.000114           0       186        93 statx
  0.00    0.000000           0         1           pwrite64
------ ----------- ----------- --------- --------- ----------------
100.00    0.000507           1       587        93 total
`;

  it('are taken from the table of strace, failures too, without its sum', () => {
    expect([...parseCounts(TABLE)]).toEqual([
      ['epoll_pwait', { calls: 400, errors: 0 }],
      ['statx', { calls: 186, errors: 93 }],
      ['pwrite64', { calls: 1, errors: 0 }],
    ]);
    expect(parseCounts('strace: Process 1 attached\n').size).toBe(0);
  });

  it('are given for a unit of work, and what is hardly called is left out', () => {
    const table = callTable(
      {
        kinds: new Map([
          ['main', parseCounts(TABLE)],
          ['http', new Map()],
        ]),
        seconds: 2,
      },
      { unit: 'batch', perSecond: 500 },
    );
    expect(table).toContain('epoll_pwait 0.40 · statx 0.19 (0.09 failed) |');
    expect(table).not.toContain('pwrite64');
    expect(table).not.toContain('http');
  });
});

describe('a table', () => {
  it('is Markdown whose columns stand in line', () =>
    expect(markdownTable(['thread', 'n'], [['main', '1000']])).toBe('| thread | n    |\n| ------ | ---- |\n| main   | 1000 |'));
});
