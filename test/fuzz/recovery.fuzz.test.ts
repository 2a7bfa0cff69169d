/** Recovery over damaged data folders: it may report, refuse, quarantine; it never throws anything but its own errors, and never invents records. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeCheckpoint } from '../../src/log/checkpoint.ts';
import { DiskError } from '../../src/log/disk.ts';
import { RecoveryError } from '../../src/log/generation.ts';
import { readGroup } from '../../src/log/journal-layout.ts';
import { recover } from '../../src/log/recovery.ts';
import { DATA, Simulation } from '../sim/simulation.ts';

const RUNS = 150;

test('noise is neither a journal group nor a checkpoint', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(readGroup(Buffer.from(bytes), 0, 7n)).toBeNull();
      expect(decodeCheckpoint(Buffer.from(bytes))).toBeNull();
    }),
    { numRuns: 2000 },
  );
});

test('damage anywhere in a data folder is reported or refused', () => {
  fc.assert(
    fc.property(
      fc.nat(5),
      fc.array(fc.tuple(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 })), { minLength: 1, maxLength: 8 }),
      (seed, flips) => {
        const sim = new Simulation({ seed });
        sim.start();
        const topic = sim.createTopic('fsync');
        const other = sim.createTopic('page-cache');
        for (let i = 0; i < 30; i++) {
          sim.workAll();
          for (const each of [topic, other]) if (each.online) sim.produce(each, (i * 97) % 1500);
          sim.nowMs += 50;
        }
        sim.workAll();
        sim.disk.killProcess();
        const paths = sim.disk.paths();
        for (const [file, position, mask] of flips) {
          const path = paths[file % paths.length] as string;
          const fd = sim.disk.open(path, 'read');
          const size = sim.disk.size(fd);
          sim.disk.close(fd);
          if (size > 0) sim.disk.corrupt(path, position % size, mask);
        }
        try {
          const recovered = recover(sim.disk, DATA, () => 'known');
          for (const each of [topic, other]) {
            const state = recovered.partitions.get(`${each.id}/0`);
            if (state === undefined) continue;
            const acked = [...each.records.values()].filter((record) => record.acked);
            const end = Math.max(0, ...acked.map((record) => record.lastOffset + 1));
            if (recovered.notes.length === 0) expect(state.endOffset).toBeGreaterThanOrEqual(end);
            for (let i = 1; i < state.segments.length; i++)
              expect(state.segments[i]!.baseOffset).toBeGreaterThan(state.segments[i - 1]!.baseOffset);
          }
        } catch (error) {
          if (!(error instanceof RecoveryError) && !(error instanceof DiskError)) throw error;
        }
      },
    ),
    { numRuns: RUNS },
  );
});
