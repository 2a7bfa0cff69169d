/** What recovery cuts off a log is kept as it was. */
import { expect, test } from 'vitest';
import { readFileIfPresent } from '../../../src/log/disk.ts';
import { segmentPath } from '../../../src/log/layout.ts';
import { keepTail } from '../../../src/log/quarantine.ts';
import { Prng } from '../../../src/lib/prng.ts';
import { FakeDisk } from '../../sim/fake-disk.ts';
import { DATA, Simulation } from '../../sim/simulation.ts';

test('two tails that were cut at the same offset are kept apart, one that is copied again is not kept twice', () => {
  const disk = new FakeDisk(new Prng(1));
  disk.mkdir(DATA);
  const long = Buffer.alloc(5000, 1);
  const short = Buffer.alloc(2000, 2);
  keepTail(disk, DATA, 'orders-0-7', long.subarray(0, 3000));
  for (const tail of [long, short, short, long]) keepTail(disk, DATA, 'orders-0-7', tail);
  const kept = disk.list(`${DATA}/quarantine`).map((name) => readFileIfPresent(disk, `${DATA}/quarantine/${name}`));
  expect(kept).toEqual([short, long]);
});

test('a segment that stays missing is refused once, however often the broker starts', () => {
  const sim = new Simulation({ seed: 0 });
  sim.start();
  const topic = sim.createTopic('fsync');
  sim.workAll();
  sim.produce(topic, 100);
  sim.workAll();
  sim.stop();
  topic.damagedAllowed = true;
  sim.disk.unlink(segmentPath(DATA, topic.id, 0, 0));
  for (let start = 0; start < 3; start++) {
    sim.afterCrash();
    const { endOffset, damaged } = sim.start().partitions.get(`${topic.id}/0`)!;
    expect(damaged).toEqual([{ from: 0, to: endOffset }]);
    sim.stop();
  }
});
