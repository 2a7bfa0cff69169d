/** What every MetadataStore must do. Each implementation runs this one suite. */

import { describe, expect, it, onTestFinished } from 'vitest';
import { MetadataStoreError, type MetadataChange, type MetadataStore } from '../../src/cluster/metadata-store.ts';
import { ManualClock } from './manual-clock.ts';

export interface MetadataStoreUnderTest {
  /** A new, empty store. */
  readonly open: (clock: ManualClock) => Promise<MetadataStore>;
}

export function metadataStoreSuite(name: string, { open }: MetadataStoreUnderTest): void {
  const opened = async (): Promise<{ store: MetadataStore; clock: ManualClock }> => {
    const clock = new ManualClock();
    const store = await open(clock);
    onTestFinished(() => store.close());
    return { store, clock };
  };

  describe(`${name}: keys and revisions`, () => {
    it('gives back what was put, with the revisions of birth and last change', async () => {
      const { store } = await opened();
      const value = { text: 'ä', list: [1, 2.5, -3, null, true], bytes: Uint8Array.of(1, 2), deep: { big: 2 ** 40 } };
      expect(await store.put('a', value)).toEqual({ committed: true, revision: 1 });
      expect(await store.put('b', 'other')).toEqual({ committed: true, revision: 2 });
      expect(await store.put('a', value)).toEqual({ committed: true, revision: 3 });
      const entry = await store.get('a');
      expect(entry).toMatchObject({ key: 'a', createRevision: 1, modRevision: 3 });
      expect({ ...(entry!.value as object), bytes: [1, 2] }).toEqual({ ...value, bytes: [1, 2] });
      expect(await store.get('c')).toBeUndefined();
    });

    it('is not changed by whoever changes a value that went in or came out', async () => {
      const { store } = await opened();
      const value = { list: [1] };
      const put = store.put('a', value);
      value.list.push(2);
      await put;
      ((await store.get('a'))!.value as typeof value).list.push(3);
      expect((await store.get('a'))!.value).toEqual({ list: [1] });
    });

    it('lists a prefix in key order, at one revision', async () => {
      const { store } = await opened();
      for (const key of ['t/b', 't/a', 'u/a', 't', 't/a/1']) await store.put(key, key);
      const { revision, entries } = await store.list('t/');
      expect(revision).toBe(5);
      expect(entries.map(({ key }) => key)).toEqual(['t/a', 't/a/1', 't/b']);
    });

    it('is born anew after deletion', async () => {
      const { store } = await opened();
      await store.put('a', 1);
      await store.delete('a');
      expect(await store.get('a')).toBeUndefined();
      await store.put('a', 2);
      expect(await store.get('a')).toMatchObject({ createRevision: 3, modRevision: 3, value: 2 });
    });

    it('takes no revision for deleting what is not there', async () => {
      const { store } = await opened();
      await store.put('a', 1);
      expect(await store.delete('b')).toEqual({ committed: true, revision: 1 });
    });
  });

  describe(`${name}: compare and swap`, () => {
    it('puts only at the expected revision', async () => {
      const { store } = await opened();
      expect(await store.put('a', 1, { ifRevision: 0 })).toMatchObject({ committed: true });
      expect(await store.put('a', 2, { ifRevision: 0 })).toEqual({ committed: false, revision: 1, conflicts: ['a'] });
      expect(await store.put('a', 3, { ifRevision: 1 })).toMatchObject({ committed: true, revision: 2 });
      expect(await store.delete('a', { ifRevision: 1 })).toMatchObject({ committed: false });
      expect((await store.get('a'))!.value).toBe(3);
      expect(await store.delete('a', { ifRevision: 2 })).toMatchObject({ committed: true });
    });

    it('changes all keys of a transaction at one revision, or none', async () => {
      const { store } = await opened();
      await store.put('a', 1);
      const puts = [
        { key: 'x', value: 1 },
        { key: 'y', value: 2 },
      ];
      const refused = await store.transaction({
        compare: [
          { key: 'a', modRevision: 1 },
          { key: 'b', modRevision: 7 },
        ],
        puts,
        deletes: ['a'],
      });
      expect(refused).toEqual({ committed: false, revision: 1, conflicts: ['b'] });
      expect((await store.list('')).entries).toHaveLength(1);
      expect(await store.transaction({ compare: [{ key: 'a', modRevision: 1 }], puts, deletes: ['a'] })).toEqual({
        committed: true,
        revision: 2,
      });
      const { entries } = await store.list('');
      expect(entries.map(({ key, modRevision }) => [key, modRevision])).toEqual([
        ['x', 2],
        ['y', 2],
      ]);
    });

    it('lets exactly one of many concurrent creators win', async () => {
      const { store } = await opened();
      const results = await Promise.all(Array.from({ length: 50 }, (_, index) => store.put('a', index, { ifRevision: 0 })));
      const winners = results.flatMap(({ committed }, index) => (committed ? [index] : []));
      expect(winners).toHaveLength(1);
      expect((await store.get('a'))!.value).toBe(winners[0]);
    });

    it('loses no update of concurrent swaps that try again', async () => {
      const { store } = await opened();
      await store.put('n', 0);
      const increment = async (): Promise<void> => {
        for (;;) {
          const { value, modRevision } = (await store.get('n'))!;
          if ((await store.put('n', (value as number) + 1, { ifRevision: modRevision })).committed) return;
        }
      };
      await Promise.all(Array.from({ length: 20 }, increment));
      expect((await store.get('n'))!.value).toBe(20);
    });

    it('refuses a transaction that changes a key twice, and changes nothing', async () => {
      const { store } = await opened();
      await expect(store.transaction({ puts: [{ key: 'a', value: 1 }], deletes: ['a'] })).rejects.toThrow(/twice/);
      await expect(store.put('', 1)).rejects.toThrow(/not a metadata key/);
      await expect(store.put('k'.repeat(513), 1)).rejects.toThrow(/not a metadata key/);
      await expect(store.put('a', 'x'.repeat(2 ** 21))).rejects.toThrow(/bytes/);
      expect(await store.list('')).toEqual({ revision: 0, entries: [] });
    });
  });

  describe(`${name}: watch`, () => {
    const collect = (store: MetadataStore, prefix: string, fromRevision: number) => {
      const changes: MetadataChange[] = [];
      const lost: Error[] = [];
      const watch = store.watch(prefix, fromRevision, {
        onChange: (change) => changes.push(change),
        onLost: (reason) => lost.push(reason),
      });
      return { changes, lost, watch, revisions: () => changes.map(({ revision }) => revision) };
    };

    it('delivers changes under its prefix in order, each revision once', async () => {
      const { store } = await opened();
      const { changes, watch } = collect(store, 't/', 1);
      await store.put('t/a', 1);
      await store.put('u/a', 1);
      await store.transaction({
        puts: [
          { key: 't/b', value: 2 },
          { key: 'u/b', value: 2 },
        ],
        deletes: ['t/a'],
      });
      watch.close();
      await store.put('t/c', 1);
      expect(changes).toEqual([
        { revision: 1, events: [{ type: 'put', key: 't/a', entry: { key: 't/a', value: 1, createRevision: 1, modRevision: 1 } }] },
        {
          revision: 3,
          events: [
            { type: 'put', key: 't/b', entry: { key: 't/b', value: 2, createRevision: 3, modRevision: 3 } },
            { type: 'delete', key: 't/a' },
          ],
        },
      ]);
    });

    it('starts in the past, and misses nothing between listing and watching', async () => {
      const { store } = await opened();
      await store.put('a', 1);
      await store.put('a', 2);
      const { revision } = await store.list('');
      const between = store.put('a', 3);
      const late = collect(store, '', revision + 1);
      const past = collect(store, '', 2);
      await between;
      await store.put('a', 4);
      expect(late.revisions()).toEqual([3, 4]);
      expect(past.revisions()).toEqual([2, 3, 4]);
    });

    it('is told before the change is answered', async () => {
      const { store } = await opened();
      const { changes } = collect(store, '', 1);
      await store.put('a', 1);
      expect(changes).toHaveLength(1);
    });

    it('is told that it is lost when its history is gone', async () => {
      const { store } = await opened();
      for (let batch = 0; batch < 30; batch++) await Promise.all(Array.from({ length: 50 }, (_, index) => store.put('a', index)));
      const { lost, changes } = collect(store, '', 1);
      await Promise.resolve();
      expect(changes).toEqual([]);
      expect(lost).toHaveLength(1);
    });
  });

  describe(`${name}: leases`, () => {
    it('take their keys with them when they end, and not before', async () => {
      const { store, clock } = await opened();
      const lease = await store.grantLease(100);
      await store.put('mine', 1, { lease });
      await store.put('other', 1);
      const changes: MetadataChange[] = [];
      store.watch('', 3, { onChange: (change) => changes.push(change) });
      clock.advance(90);
      expect(await store.keepAlive(lease)).toBe(true);
      clock.advance(90);
      expect(await store.get('mine')).toBeDefined();
      clock.advance(20);
      await store.put('another', 1);
      expect((await store.list('')).entries.map(({ key }) => key)).toEqual(['another', 'other']);
      expect(changes[0]!.events[0]).toMatchObject({ type: 'delete', key: 'mine' });
      expect(await store.keepAlive(lease)).toBe(false);
      await expect(store.put('late', 1, { lease })).rejects.toThrow(MetadataStoreError);
    });

    it('let go of a key that was put anew without them', async () => {
      const { store } = await opened();
      const lease = await store.grantLease(100);
      await store.put('a', 1, { lease });
      await store.put('a', 2);
      await store.revokeLease(lease);
      expect((await store.get('a'))!.value).toBe(2);
    });
  });

  describe(`${name}: closing`, () => {
    it('finishes what is under way, then refuses', async () => {
      const { store } = await opened();
      const under = store.put('a', 1);
      await store.close();
      expect(await under).toMatchObject({ committed: true });
      await expect(store.get('a')).rejects.toThrow(/closed/);
      await expect(store.put('a', 1)).rejects.toThrow(/closed/);
      await store.close();
    });
  });
}
