/** The check of the recovery scenario: what was stored without having been acknowledged must not make up for what is lost. */
import { expect, test } from 'vitest';
import { lostRecords } from '../../../perf/lib/lost-records.mjs';

const filled = { records: 600, batches: 10, acknowledged_base_offsets: [240, 240] };
const killed = { records: 180, batches: 3, acknowledged_base_offsets: [300, -1] };

test.for([
  ['all is there, and the record that the start was timed with', [361, 300], 661, 0],
  ['also what was never acknowledged is there', [361, 900], 1261, 0],
  ['the last acknowledged batch of one partition is not, and the other has more than it need', [301, 900], 1201, 59],
  ['a batch in the middle of a partition is not', [361, 300], 601, 60],
] as const)('%s', ([, ends, records, lost]) => {
  expect(lostRecords(filled, killed, { records, end_offsets: ends })).toBe(lost);
});

test('without the offsets it compares what there is in all', () => {
  const counted = ({ records, batches }: typeof filled) => ({ records, batches });
  expect(lostRecords(counted(filled), counted(killed), { records: 781 })).toBe(0);
  expect(lostRecords(counted(filled), counted(killed), { records: 780 })).toBe(1);
});
