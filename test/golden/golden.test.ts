import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ALL_APIS } from '../../src/protocol/apis/all.ts';
import { parseRange } from '../../src/protocol/plan.ts';
import { checkVector, exclusion } from './check.ts';
import { ownVectors, title, type Vector } from './vectors.ts';

/** Runs them all and names each that fails; one test per vector would be slow for nothing. */
function failures(vectors: readonly Vector[]): string[] {
  const failed: string[] = [];
  for (const vector of vectors) {
    try {
      checkVector(vector);
    } catch (error) {
      failed.push(`${title(vector)}: ${(error as Error).message}`);
    }
  }
  return failed;
}

describe('golden vectors of the project', () => {
  const checked = ownVectors.filter((vector) => exclusion(vector) === undefined);

  for (const kind of new Set(checked.map((vector) => vector.kind))) {
    it(`every ${kind} decodes to its value, and its value encodes to its bytes`, () => {
      expect(failures(checked.filter((vector) => vector.kind === kind))).toEqual([]);
    });
  }

  it('cover every known version of every API, both ways', () => {
    const have = new Set(checked.map((vector) => `${vector.kind} ${vector.key} ${vector.version}`));
    const missing: string[] = [];
    for (const api of ALL_APIS) {
      const { min, max } = parseRange(api.request.versions);
      for (let version = min; version <= max; version++) {
        for (const kind of ['request', 'response'])
          if (!have.has(`${kind} ${api.key} ${version}`)) missing.push(`${api.name} ${kind} ${version}`);
      }
    }
    expect(missing).toEqual([]);
  });
});

const named = process.env['RINGLOG_SHARED_VECTORS'];
const sharedPath = named ?? fileURLToPath(new URL('../../../shared/kafka-protocol/vectors.json', import.meta.url));

// The own vectors stand alone. Where the larger set is, it is checked too; either way this says which, and CI repeats it.
if (named !== undefined || existsSync(sharedPath)) {
  it('golden vectors of the larger shared set: all agree', () => {
    const all = (JSON.parse(readFileSync(sharedPath, 'utf8')) as { vectors: Vector[] }).vectors;
    const checked = all.filter((vector) => exclusion(vector) === undefined);
    const reasons = new Map<string, number>();
    for (const vector of all) {
      const reason = exclusion(vector);
      if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    }
    expect(failures(checked)).toEqual([]);
    console.info(
      `shared golden vectors: ${checked.length} of ${all.length} checked; left out: ${JSON.stringify(Object.fromEntries(reasons))}`,
    );
  });
} else console.warn(`shared golden vectors: none checked, there is no ${sharedPath}`);
