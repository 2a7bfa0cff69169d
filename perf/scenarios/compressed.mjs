// Producers that compress, one codec after the other. A broker stores such a batch as it is, if it can: what it does with each decides.
import { join } from 'node:path';
import { compare } from '../lib/compare.mjs';
import { codecs, RECORD_BYTES, writeCompressedPool } from '../lib/compressed-pool.mjs';
import { floorSides, GIB, kafkaSides, ringlogSide } from '../lib/sides.mjs';
import { spread } from '../lib/stats.mjs';
import { circleBytes, secondsOf } from '../lib/quick.mjs';

function sidesOf(context, poolFile) {
  const load = {
    connections: 4,
    partitions: 4,
    inFlight: 5,
    recordBytes: RECORD_BYTES,
    poolFile,
    seconds: secondsOf(context, 10, 3),
    warmup: 2,
  };
  const durability = context.durability ?? 'page-cache';
  return [
    ringlogSide(context, { durability, load }),
    // It looks at no record: what a batch holds is all the same to it.
    ...floorSides({ sync: durability === 'fsync', load, prewritten: circleBytes(context, GIB), wrap: true }),
    ...kafkaSides(context, { durability, load }),
  ];
}

export default {
  name: 'compressed',
  summary: `64 KiB of JSON a batch, compressed (${codecs.join(', ')}): records/s, and MB/s of compressed batches`,
  durabilities: ['page-cache'],
  peers: ['kafka'],
  steps: (context) => codecs.length * sidesOf(context, '').length,
  async run(context) {
    const results = [];
    for (const codec of codecs) {
      const poolFile = join(context.workDir, `${codec}.batches`);
      const kept = writeCompressedPool(poolFile, codec);
      const result = await compare(context, {
        label: `compressed producers, ${codec}, ${context.durability}`,
        sides: sidesOf(context, poolFile),
        figure: (run) => run.report.records_per_s,
        unit: `records/s of ${RECORD_BYTES} bytes before compression`,
        ratios: [
          { of: 'ringlog', to: 'floor' },
          { of: 'ringlog', to: 'kafka' },
        ],
      });
      result.notes.push(`${codec} leaves ${(100 * kept).toFixed(0)} % of the bytes`);
      for (const { name, figure } of result.sides) {
        if (figure === null) continue; // a peer that is missing
        const compressed = spread(result.runs.filter((run) => run.side === name).map((run) => run.report.mb_per_s));
        result.notes.push(`${name}: ${compressed.median.toFixed(1)} MB/s of compressed batches`);
      }
      results.push(result);
    }
    if (!codecs.includes('zstd'))
      results.push({
        label: 'compressed producers, zstd',
        notes: ['not measured: this Node cannot make such batches (22.15 and later can)'],
      });
    return results;
  },
};
