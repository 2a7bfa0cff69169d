/**
 * The crew that syncs several files at once, under real threads: a boss and three helpers, random numbers of files, helpers that come late and dawdle.
 * Checked after every round: each descriptor was synced exactly once, none is still under way, and a failure is told in its own round and in no other.
 */
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { createSyncCrew, helpSync, SyncCrewBoss } from '../../build/ring/sync-crew.js';

const FILES_MAX = 40;
const HELPERS = 3;
/** Descriptors from here on fail. */
const FAILING = 32;

/** What stands for a sync: counts the descriptor, after a moment that is sometimes long enough to be overtaken. */
function counting(counts) {
  let state = 1;
  return (fd) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    for (let spin = state % 16 === 0 ? 20_000 : 50; spin > 0; spin--);
    Atomics.add(counts, fd, 1);
    return fd >= FAILING ? -5 : 0;
  };
}

if (!isMainThread && workerData.counts !== undefined) helpSync(workerData.crew, counting(new Int32Array(workerData.counts)));

/** Runs `rounds` rounds; `random(n)` gives 0 … n − 1. Returns how many descriptors were synced and how many of them by helpers. Throws when one was synced twice or not at all. */
export async function crewStress(rounds, random) {
  const crew = createSyncCrew();
  const counts = new Int32Array(new SharedArrayBuffer(FILES_MAX * 4));
  const start = () => new Worker(new URL(import.meta.url), { workerData: { crew, counts: counts.buffer } });
  const helpers = Array.from({ length: HELPERS }, start);
  let own = 0;
  const sync = counting(counts);
  const boss = new SyncCrewBoss(crew, (fd) => {
    own++;
    return sync(fd);
  });
  let synced = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      // Now and then the event loop gets its turn, so that helpers come up in the middle of rounds.
      if (round % 1000 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
      const fails = random(100) === 0;
      const fds = Array.from({ length: 1 + random(FAILING) }, (_, i) => i);
      if (fails) fds.push(FAILING + random(FILES_MAX - FAILING));
      counts.fill(0);
      const errno = boss.run(fds);
      synced += fds.length;
      if (errno !== (fails ? -5 : 0)) throw new Error(`crew round ${round}: errno ${errno}, ${fails ? 'a failure' : 'none'} was due`);
      for (let fd = 0; fd < FILES_MAX; fd++) {
        const due = fds.includes(fd) ? 1 : 0;
        if (Atomics.load(counts, fd) !== due)
          throw new Error(`crew round ${round}: descriptor ${fd} was synced ${counts[fd]} times, due ${due}`);
      }
    }
  } finally {
    await Promise.all(helpers.map((helper) => helper.terminate()));
  }
  if (own === synced) throw new Error('crew: no helper ever took a descriptor');
  return { synced, byHelpers: synced - own };
}
