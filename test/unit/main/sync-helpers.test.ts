/** Threads that help with syncs, where the system gives none. */
import { expect, test } from 'vitest';
import { StartCrew } from '../../../src/main/start-crew.ts';
import { SyncHelpers } from '../../../src/main/sync-helpers.ts';
import { createSyncCrew } from '../../../src/ring/sync-crew.ts';

/** What `new Worker` throws for, as it does when there can be no more threads. */
const NOWHERE = 'not a path';

test('that cannot be started are told of, and whoever wanted them goes on', async () => {
  const helpers = new SyncHelpers(3, NOWHERE);
  expect(helpers.start(createSyncCrew(), 'sync-0', () => undefined)).toBeInstanceOf(Error);
  await helpers.stop();
});

test('of a start likewise: main syncs alone', async () => {
  const problems: string[] = [];
  const crew = new StartCrew((reason) => problems.push(reason), new SyncHelpers(15, NOWHERE));
  // Descriptors that are none: each is tried, and the failure is that of a sync.
  expect(crew.sync(new Array<number>(64).fill(-1))).not.toBe(0);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain('could not be started');
  await crew.stop();
});
