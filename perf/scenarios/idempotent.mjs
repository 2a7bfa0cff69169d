// What idempotence costs: the same load with and without producer ids.
import { compare } from '../lib/compare.mjs';
import { atLeast, megabytes, ringlogSide } from '../lib/sides.mjs';
import { secondsOf } from '../lib/quick.mjs';

const BULK = { connections: 4, inFlight: 5, partitions: 4, recordBytes: 1024, batchBytes: 65536, acks: 'all' };
const SMALL = { connections: 16, inFlight: 5, partitions: 4, recordBytes: 1024, batchBytes: 1, acks: 'all' };
const CASES = [
  { label: 'small requests, fsync', durability: 'fsync', load: SMALL },
  { label: 'small requests, page-cache', durability: 'page-cache', load: SMALL },
  { label: 'bulk, page-cache', durability: 'page-cache', load: BULK },
];

function sidesOf(context, { durability, load }) {
  const timed = { ...load, seconds: secondsOf(context, 10), warmup: 2 };
  return [
    ringlogSide(context, { durability, load: { ...timed, idempotent: true }, name: 'idempotent' }),
    ringlogSide(context, { durability, load: timed, name: 'plain' }),
  ];
}

export default {
  name: 'idempotent',
  summary: 'idempotent against plain producers: small requests with fsync and page-cache, bulk with page-cache',
  steps: () => CASES.length * 2,
  async run(context) {
    const results = [];
    for (const one of CASES) {
      const ratios = [{ of: 'idempotent', to: 'plain', target: '>= 0.95', holds: atLeast(0.95) }];
      results.push(await compare(context, { label: one.label, sides: sidesOf(context, one), figure: megabytes, unit: 'MB/s', ratios }));
    }
    return results;
  },
};
