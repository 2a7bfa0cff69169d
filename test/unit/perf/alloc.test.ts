/** The pure parts of `npm run perf -- alloc`: a budget that is exceeded must be seen, and one that is missing too. */
import { describe, expect, it } from 'vitest';
import { judge } from '../../../perf/alloc/budget.mjs';
import { topSites, type ProfileNode } from '../../../perf/alloc/sites.mjs';

const budget = (main: number, shards: number) => ({ main, shards, why: 'a test' });

describe('the allocation budget', () => {
  it('holds up to its limit and not a byte above it, for each kind of thread by itself', () => {
    const verdicts = judge([{ name: 'fetch', main: 100, shards: 51 }], { fetch: budget(100, 50) });
    expect(verdicts).toEqual([
      { name: 'fetch', thread: 'main', bytes: 100, limit: 100, holds: true },
      { name: 'fetch', thread: 'shards', bytes: 51, limit: 50, holds: false },
    ]);
  });

  it('does not hold for what could not be measured', () => {
    const [main] = judge([{ name: 'fetch', main: NaN, shards: 0 }], { fetch: budget(100, 50) });
    expect(main?.holds).toBe(false);
  });

  it('refuses a row without a budget, a budget without a row, and a limit that is no number of bytes', () => {
    const rows = [{ name: 'fetch', main: 1, shards: 1 }];
    expect(() => judge(rows, {})).toThrow("no budget for 'fetch'");
    expect(() => judge(rows, { fetch: budget(1, 1), produce: budget(1, 1) })).toThrow("'produce' is not measured");
    expect(() => judge(rows, { fetch: budget(1, -1) })).toThrow("'fetch' has -1 for shards");
  });
});

describe('allocation sites', () => {
  const node = (functionName: string, selfSize: number, children: readonly ProfileNode[] = []): ProfileNode => ({
    callFrame: { functionName, url: 'file:///a/dist/log/x.js', lineNumber: 6 },
    selfSize,
    children,
  });

  it('sums a function over all its callers, largest first, and names the caller of the largest share', () => {
    const head = node('root', 0, [node('a', 10, [node('copy', 30)]), node('b', 20, [node('copy', 70)])]);
    expect(topSites({ head }, 2)).toMatchObject([
      { site: 'copy log/x.js:7', bytes: 100, caller: 'b log/x.js:7' },
      { site: 'b log/x.js:7', bytes: 20, caller: 'root log/x.js:7' },
    ]);
  });
});
