import { expect, test } from 'vitest';
import { CREW_FILES_MAX, createSyncCrew, SyncCrewBoss } from '../../../src/ring/sync-crew.ts';

test('a boss without helpers syncs everything itself, round after round', () => {
  const synced: number[] = [];
  const boss = new SyncCrewBoss(createSyncCrew(), (fd) => {
    synced.push(fd);
    return 0;
  });
  for (let round = 0; round < 3; round++) expect(boss.run([7, 8, 9])).toBe(0);
  expect(synced.toSorted((a, b) => a - b)).toEqual([7, 7, 7, 8, 8, 8, 9, 9, 9]);
  const many = Array.from({ length: CREW_FILES_MAX }, (_, i) => i);
  synced.length = 0;
  expect(boss.run(many)).toBe(0);
  expect(synced.toSorted((a, b) => a - b)).toEqual(many);
});

test('a failure is told with its number, after everything was tried, and not in the next round', () => {
  const synced: number[] = [];
  const boss = new SyncCrewBoss(createSyncCrew(), (fd) => {
    synced.push(fd);
    return fd === 8 ? -5 : 0;
  });
  expect(boss.run([7, 8, 9])).toBe(-5);
  expect(synced.toSorted((a, b) => a - b)).toEqual([7, 8, 9]);
  expect(boss.run([7, 9])).toBe(0);
});

test('more descriptors than a round takes are synced in several, and a failure in any of them is told', () => {
  const many = Array.from({ length: 2 * CREW_FILES_MAX + 1 }, (_, i) => i);
  for (const failing of [-1, 0, CREW_FILES_MAX, 2 * CREW_FILES_MAX]) {
    const synced: number[] = [];
    const boss = new SyncCrewBoss(createSyncCrew(), (fd) => {
      synced.push(fd);
      return fd === failing ? -5 : 0;
    });
    expect(boss.run(many)).toBe(failing < 0 ? 0 : -5);
    expect(synced.toSorted((a, b) => a - b)).toEqual(many);
  }
});
