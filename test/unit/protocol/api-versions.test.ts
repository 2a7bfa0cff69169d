import { describe, expect, it } from 'vitest';
import { ALL_APIS, apiByKey } from '../../../src/protocol/apis/all.ts';
import { SERVED_TABLES } from '../../../src/protocol/apis/served.ts';
import { isServed, SERVED_APIS, servedApi } from '../../../src/protocol/api-versions.ts';
import { parseRange } from '../../../src/protocol/plan.ts';

describe('the served APIs', () => {
  it('have tables, by the same names, that know every served version and where flexible ones begin', () => {
    expect(SERVED_TABLES.map((api) => api.key)).toEqual(SERVED_APIS.map((api) => api.key));
    for (const served of SERVED_APIS) {
      const table = apiByKey(served.key)!;
      const known = parseRange(table.request.versions);
      expect(table.name).toBe(served.name);
      expect(served.min).toBeGreaterThanOrEqual(known.min);
      expect(served.max).toBeLessThanOrEqual(known.max);
      expect(served.flexible).toBe(table.request.flexible === '' ? -1 : parseRange(table.request.flexible).min);
    }
  });

  it('include the exact versions by which old librdkafka switches features on', () => {
    for (const [key, version] of [
      [0, 0],
      [0, 3],
      [0, 7],
      [1, 4],
      [1, 10],
      [2, 1],
      [8, 1],
      [8, 2],
      [9, 1],
      [10, 0],
      [11, 0],
      [12, 0],
      [13, 0],
      [14, 0],
    ] as const)
      expect(isServed(key, version)).toBe(true);
  });

  it('are looked up by any key without surprises', () => {
    expect(servedApi(18)?.name).toBe('ApiVersions');
    for (const key of [-1, -32768, 4, 127, 128, 32767]) expect(servedApi(key)).toBeUndefined();
    expect(isServed(3, 14)).toBe(false);
    expect(isServed(1, 3)).toBe(false);
    expect(isServed(99, 0)).toBe(false);
  });

  it('are among all tables, which are found by key', () => {
    for (const api of ALL_APIS) expect(apiByKey(api.key)).toBe(api);
    expect(apiByKey(4)).toBeUndefined();
  });
});
