import { expect, it } from 'vitest';
import { RepeatedLines } from '../../../src/telemetry/repeated-lines.ts';
import { TestLogger } from '../../support/ingress-bench.ts';

it('lines of a kind are few in a period, each kind for itself, and those left out are counted at its end', () => {
  const logger = new TestLogger();
  const lines = new RepeatedLines(logger);
  for (let n = 0; n < 1000; n++) lines.warn({ n }, 'a flood');
  lines.warn({ n: 1 }, 'one drop');
  expect(logger.lines.map(({ fields, message }) => [message, fields['n']])).toEqual([
    ...[0, 1, 2, 3, 4].map((n) => ['a flood', n]),
    ['one drop', 1],
  ]);
  logger.lines.length = 0;
  lines.endPeriod();
  expect(logger.lines).toEqual([
    { level: 'warn', fields: { suppressed: 995, line: 'a flood' }, message: 'more such lines were not written' },
  ]);
  lines.endPeriod();
  expect(logger.lines).toHaveLength(1);
  lines.warn({ n: 7 }, 'a flood');
  expect(logger.lines.at(-1)).toMatchObject({ fields: { n: 7 } });
});
