import fc from 'fast-check';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EmbeddedMetadataStore } from '../../../src/cluster/embedded-metadata-store.ts';
import { MemoryMetadataStore } from '../../../src/cluster/memory-metadata-store.ts';
import type { TopicEvent } from '../../../src/cluster/metadata-image.ts';
import type { MetadataStore } from '../../../src/cluster/metadata-store.ts';
import { TopicCatalog } from '../../../src/cluster/topic-catalog.ts';
import { topicIdFromBytes, topicIdToBytes } from '../../../src/cluster/topic-id.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const load = (store: MetadataStore = new MemoryMetadataStore()) => TopicCatalog.load(store, { nodeId: 1, defaultPartitions: 3 });
const newTopic = (name: string, partitions = 1, configs: Record<string, string | null> = {}) => ({
  name,
  partitions,
  replicationFactor: 1,
  configs,
});
const refusal = (error: string, message?: RegExp) =>
  message === undefined ? { ok: false, error } : { ok: false, error, message: expect.stringMatching(message) as string };

describe('creating a topic', () => {
  it('gives it an id and makes it findable by name and id', async () => {
    const catalog = await load();
    const result = await catalog.createTopic(newTopic('orders', 2, { 'ringlog.durability': 'memory' }));
    if (!result.ok) throw new Error(result.message);
    expect(result.value).toMatchObject({
      name: 'orders',
      partitionCount: 2,
      configs: { 'ringlog.durability': 'memory' },
      createdRevision: 1,
      revision: 1,
    });
    expect(result.value.topicId).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
    expect(catalog.topicByName('orders')).toBe(result.value);
    expect(catalog.topicById(result.value.topicId)).toBe(result.value);
    expect([catalog.topicCount, catalog.partitionTotal]).toEqual([1, 2]);
    expect(catalog.partitionState(result.value, 0)).toEqual({ leader: 1, leaderEpoch: 0, replicas: [1], isr: [1] });
  });

  it('takes the default for a partition count of -1', async () => {
    const catalog = await load();
    expect(await catalog.createTopic({ ...newTopic('t', -1), replicationFactor: -1 })).toMatchObject({
      ok: true,
      value: { partitionCount: 3 },
    });
  });

  it('of one name at the same time succeeds exactly once', async () => {
    const catalog = await load();
    const results = await Promise.all(Array.from({ length: 20 }, () => catalog.createTopic(newTopic('t'))));
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(results.filter(({ ok }) => !ok)).toEqual(
      Array.from({ length: 19 }, () => refusal('TOPIC_ALREADY_EXISTS', /'t' already exists/)),
    );
  });

  it('of one name by two catalogs of one store succeeds exactly once, and both see it', async () => {
    const store = new MemoryMetadataStore();
    const catalogs = [await load(store), await load(store)];
    const results = await Promise.all(catalogs.map((catalog) => catalog.createTopic(newTopic('t'))));
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect(catalogs[0]!.topicByName('t')!.topicId).toBe(catalogs[1]!.topicByName('t')!.topicId);
  });

  it('of names that collide at the same time succeeds exactly once', async () => {
    const catalog = await load();
    const results = await Promise.all([catalog.createTopic(newTopic('a.b')), catalog.createTopic(newTopic('a_b'))]);
    expect(results[0]).toMatchObject({ ok: true });
    expect(results[1]).toEqual(refusal('INVALID_TOPIC_EXCEPTION', /'a_b' collides with existing topic: a\.b/));
    await catalog.deleteTopic({ name: 'a.b' });
    expect(await catalog.createTopic(newTopic('a_b'))).toMatchObject({ ok: true });
  });

  it.each([
    ['', 'INVALID_TOPIC_EXCEPTION'],
    ['.', 'INVALID_TOPIC_EXCEPTION'],
    ['..', 'INVALID_TOPIC_EXCEPTION'],
    ['a/b', 'INVALID_TOPIC_EXCEPTION'],
    ['ä', 'INVALID_TOPIC_EXCEPTION'],
    ['a b', 'INVALID_TOPIC_EXCEPTION'],
    ['x'.repeat(250), 'INVALID_TOPIC_EXCEPTION'],
  ])('refuses the name %j', async (name, error) => {
    expect(await (await load()).createTopic(newTopic(name))).toMatchObject({ ok: false, error });
  });

  it('accepts the longest name and every legal character', async () => {
    const catalog = await load();
    for (const name of ['x'.repeat(249), 'a-B_c.9', '...', '__proto__', 'constructor']) {
      expect(await catalog.createTopic(newTopic(name)), name).toMatchObject({ ok: true });
      expect(catalog.topicByName(name)?.name).toBe(name);
    }
  });

  it('refuses impossible counts, replication and settings', async () => {
    const catalog = await load();
    expect(await catalog.createTopic(newTopic('t', 0))).toEqual(refusal('INVALID_PARTITIONS', /larger than 0/));
    expect(await catalog.createTopic(newTopic('t', -2))).toEqual(refusal('INVALID_PARTITIONS', /larger than 0/));
    expect(await catalog.createTopic(newTopic('t', 100_001))).toEqual(refusal('INVALID_PARTITIONS', /limit of 100000/));
    expect(await catalog.createTopic({ ...newTopic('t'), replicationFactor: 3 })).toEqual(
      refusal('INVALID_REPLICATION_FACTOR', /3 is not possible/),
    );
    expect(await catalog.createTopic(newTopic('t', 1, { 'segment.byte': '1' }))).toEqual(
      refusal('INVALID_CONFIG', /Did you mean "segment.bytes"/),
    );
    expect(await catalog.createTopic(newTopic('t', 1, { 'segment.bytes': null }))).toEqual(refusal('INVALID_CONFIG', /null/));
    expect(catalog.topicCount).toBe(0);
  });

  it('keeps the limit of partitions when many are created at once', async () => {
    const catalog = await load();
    const results = await Promise.all(Array.from({ length: 12 }, (_, index) => catalog.createTopic(newTopic(`t${index}`, 9_000))));
    expect(results.filter(({ ok }) => ok)).toHaveLength(11);
    expect(catalog.partitionTotal).toBe(99_000);
  });

  it('has room for the topic of the groups when clients have made as many partitions as they may', async () => {
    const catalog = await load();
    for (let index = 0; index < 10; index++) await catalog.createTopic(newTopic(`t${index}`, 10_000));
    expect(await catalog.createTopic(newTopic('one-more'))).toEqual(refusal('INVALID_PARTITIONS', /limit of 100000/));
    expect(await catalog.createTopic(newTopic('__consumer_offsets', 50))).toMatchObject({ ok: true });
  });

  it('changes nothing when it is only validated', async () => {
    const catalog = await load();
    expect(await catalog.createTopic(newTopic('t', 2), { validateOnly: true })).toMatchObject({ ok: true, value: { partitionCount: 2 } });
    expect(catalog.topicCount).toBe(0);
  });
});

describe('deleting a topic', () => {
  it('leaves a tombstone until its files are gone', async () => {
    const catalog = await load();
    const created = await catalog.createTopic(newTopic('t', 2));
    const topicId = created.ok ? created.value.topicId : '';
    const deleted = await catalog.deleteTopic({ topicId });
    expect(deleted).toMatchObject({
      ok: true,
      value: { topic: { name: 't' }, tombstone: { topicId, name: 't', partitionCount: 2, deletedRevision: 2 } },
    });
    expect(catalog.topicByName('t')).toBeUndefined();
    expect([...catalog.tombstones()]).toEqual([{ topicId, name: 't', partitionCount: 2, deletedRevision: 2 }]);
    await catalog.removeTombstone(topicId);
    await catalog.removeTombstone(topicId);
    expect([...catalog.tombstones()]).toEqual([]);
  });

  it('and creating it anew gives it another id', async () => {
    const catalog = await load();
    const ids = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const created = await catalog.createTopic(newTopic('t'));
      if (created.ok) ids.add(created.value.topicId);
      await catalog.deleteTopic({ name: 't' });
    }
    expect(ids.size).toBe(5);
    expect(new Set([...catalog.tombstones()].map(({ topicId }) => topicId))).toEqual(ids);
  });

  it('that does not exist is refused by name and by id', async () => {
    const catalog = await load();
    expect(await catalog.deleteTopic({ name: 't' })).toMatchObject({ ok: false, error: 'UNKNOWN_TOPIC_OR_PARTITION' });
    expect(await catalog.deleteTopic({ topicId: 'AAAAAAAAAAAAAAAAAAAAAA' })).toMatchObject({ ok: false, error: 'UNKNOWN_TOPIC_ID' });
  });

  it('twice at once succeeds once', async () => {
    const catalog = await load();
    await catalog.createTopic(newTopic('t'));
    const results = await Promise.all([catalog.deleteTopic({ name: 't' }), catalog.deleteTopic({ name: 't' })]);
    expect(results.map(({ ok }) => ok)).toEqual([true, false]);
  });
});

describe('altering the settings of a topic', () => {
  it('sets, deletes, and leaves the others', async () => {
    const catalog = await load();
    await catalog.createTopic(newTopic('t', 1, { 'segment.bytes': '2097152' }));
    const set = { name: 'ringlog.durability', operation: 'set', value: 'memory' } as const;
    expect(await catalog.alterTopicConfigs('t', [set])).toMatchObject({
      ok: true,
      value: { configs: { 'segment.bytes': '2097152', 'ringlog.durability': 'memory' } },
    });
    await catalog.alterTopicConfigs('t', [{ name: 'segment.bytes', operation: 'delete', value: null }]);
    expect(catalog.topicByName('t')!.configs).toEqual({ 'ringlog.durability': 'memory' });
    expect(await catalog.replaceTopicConfigs('t', { 'flush.messages': '1' })).toMatchObject({ ok: true });
    expect(catalog.topicByName('t')!.configs).toEqual({ 'flush.messages': '1' });
  });

  it('loses no change of many at once', async () => {
    const catalog = await load();
    await catalog.createTopic(newTopic('t'));
    const names = ['segment.bytes', 'max.message.bytes', 'index.interval.bytes', 'segment.index.bytes', 'min.insync.replicas'];
    const results = await Promise.all(names.map((name) => catalog.alterTopicConfigs('t', [{ name, operation: 'set', value: '2097152' }])));
    expect(results.every(({ ok }) => ok)).toBe(true);
    expect(Object.keys(catalog.topicByName('t')!.configs).sort()).toEqual([...names].sort());
  });

  it('refuses what is wrong and then changes nothing', async () => {
    const catalog = await load();
    await catalog.createTopic(newTopic('t', 1, { 'flush.messages': '1' }));
    const alter = (name: string, operation: 'set' | 'append' | 'delete' | 'subtract', value: string | null) =>
      catalog.alterTopicConfigs('t', [{ name, operation, value }]);
    expect(await alter('segment.bytes', 'set', 'x')).toMatchObject({ ok: false, error: 'INVALID_CONFIG' });
    expect(await alter('segment.bytes', 'set', null)).toMatchObject({ ok: false, error: 'INVALID_CONFIG' });
    expect(await alter('segment.bytes', 'append', '1')).toEqual(refusal('INVALID_CONFIG', /is for lists/));
    expect(await alter('cleanup.policy', 'append', 'shrink')).toEqual(refusal('INVALID_CONFIG', /of compact, delete/));
    expect(await alter('no.such', 'set', '1')).toEqual(refusal('INVALID_CONFIG', /Unknown topic setting/));
    expect(await alter('ringlog.durability', 'set', 'memory')).toEqual(refusal('INVALID_CONFIG', /set one of them/));
    const twice = { name: 'segment.bytes', operation: 'set', value: '2097152' } as const;
    expect(await catalog.alterTopicConfigs('t', [twice, twice])).toMatchObject({ ok: false, error: 'INVALID_REQUEST' });
    expect(await catalog.alterTopicConfigs('t', [twice], { validateOnly: true })).toMatchObject({ ok: true });
    expect(await catalog.alterTopicConfigs('nope', [twice])).toMatchObject({ ok: false, error: 'UNKNOWN_TOPIC_OR_PARTITION' });
    expect(catalog.topicByName('t')!.configs).toEqual({ 'flush.messages': '1' });
  });

  it('has nothing to do to delete what is not set, known or not', async () => {
    const catalog = await load();
    await catalog.createTopic(newTopic('t', 1, { 'segment.bytes': '2097152' }));
    const changes = ['no.such', 'segment.ms'].map((name) => ({ name, operation: 'delete' as const, value: null }));
    expect(await catalog.alterTopicConfigs('t', changes)).toMatchObject({ ok: true });
    expect(catalog.topicByName('t')!.configs).toEqual({ 'segment.bytes': '2097152' });
  });

  it('stores values without the space around them, however much of it there is', async () => {
    const catalog = await load();
    const space = ' '.repeat(30_000);
    const names = ['segment.bytes', 'max.message.bytes', 'index.interval.bytes'];
    const configs = Object.fromEntries(names.map((name) => [name, `${space}2097152${space}`]));
    await catalog.createTopic(newTopic('t', 1, configs));
    expect(catalog.topicByName('t')!.configs).toEqual(Object.fromEntries(names.map((name) => [name, '2097152'])));
    await catalog.alterTopicConfigs('t', [{ name: 'segment.bytes', operation: 'set', value: `${space}3000000` }]);
    expect(catalog.topicByName('t')!.configs['segment.bytes']).toBe('3000000');
  });

  it('takes a list item that is there already', async () => {
    const catalog = await load();
    await catalog.createTopic(newTopic('t'));
    const append = await catalog.alterTopicConfigs('t', [{ name: 'cleanup.policy', operation: 'append', value: 'delete' }]);
    expect(append).toMatchObject({ ok: true, value: { configs: { 'cleanup.policy': 'delete' } } });
    const both = await catalog.alterTopicConfigs('t', [{ name: 'cleanup.policy', operation: 'append', value: 'compact' }]);
    expect(both).toMatchObject({ ok: true, value: { configs: { 'cleanup.policy': 'delete,compact' } } });
  });
});

describe('the catalog as a whole', () => {
  it('tells its listeners what happened, in order, before the call returns', async () => {
    const catalog = await load();
    const seen: TopicEvent['type'][] = [];
    const end = catalog.onTopicEvent(({ type }) => seen.push(type));
    await catalog.createTopic(newTopic('t'));
    await catalog.alterTopicConfigs('t', [{ name: 'segment.bytes', operation: 'set', value: '2097152' }]);
    const deleted = await catalog.deleteTopic({ name: 't' });
    if (deleted.ok) await catalog.removeTombstone(deleted.value.tombstone.topicId);
    end();
    await catalog.createTopic(newTopic('u'));
    expect(seen).toEqual(['created', 'changed', 'tombstoned', 'deleted', 'removed']);
  });

  it('is the same after a restart, and raises its leader epoch when told', async () => {
    const path = join(temporaryFolder(), 'meta');
    await EmbeddedMetadataStore.create(path);
    let store = await EmbeddedMetadataStore.open(path);
    let catalog = await load(store);
    await catalog.createTopic(newTopic('kept', 2, { 'segment.bytes': '2097152' }));
    await catalog.createTopic(newTopic('gone'));
    await catalog.deleteTopic({ name: 'gone' });
    expect(await catalog.bumpUncleanEpoch()).toBe(1);
    const before = { topics: [...catalog.topics()], tombstones: [...catalog.tombstones()] };
    catalog.close();
    await store.close();
    store = await EmbeddedMetadataStore.open(path);
    catalog = await load(store);
    expect({ topics: [...catalog.topics()], tombstones: [...catalog.tombstones()] }).toEqual(before);
    expect(catalog.leaderEpoch).toBe(1);
    expect(await catalog.bumpUncleanEpoch()).toBe(2);
    expect(catalog.partitionState(catalog.topicByName('kept')!, 1).leaderEpoch).toBe(2);
    catalog.close();
    await store.close();
  });

  it('agrees with a simple model under any order of changes', async () => {
    const names = ['a', 'b', 'a.x', 'a_x'];
    const step = fc.record({
      action: fc.constantFrom('create', 'delete', 'alter'),
      name: fc.constantFrom(...names),
      partitions: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const catalog = await load();
        const model = new Map<string, number>();
        for (const { action, name, partitions } of steps) {
          const form = name.replace('.', '_');
          const free = ![...model.keys()].some((other) => other.replace('.', '_') === form);
          if (action === 'create') {
            expect((await catalog.createTopic(newTopic(name, partitions))).ok).toBe(free);
            if (free) model.set(name, partitions);
          } else if (action === 'delete') {
            expect((await catalog.deleteTopic({ name })).ok).toBe(model.delete(name));
          } else {
            const altered = await catalog.alterTopicConfigs(name, [
              { name: 'segment.bytes', operation: 'set', value: String(1048576 + partitions) },
            ]);
            expect(altered.ok).toBe(model.has(name));
          }
        }
        expect(new Map([...catalog.topics()].map((topic) => [topic.name, topic.partitionCount]))).toEqual(model);
        expect(catalog.partitionTotal).toBe([...model.values()].reduce((sum, count) => sum + count, 0));
      }),
      { numRuns: 100 },
    );
  });
});

describe('topic ids', () => {
  it('are Kafka’s text form of 16 bytes, both ways', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const id = topicIdFromBytes(bytes);
        expect(id).toHaveLength(22);
        expect([...topicIdToBytes(id)!]).toEqual([...bytes]);
      }),
    );
    expect(topicIdToBytes('too-short')).toBeUndefined();
    expect(topicIdToBytes('AAAAAAAAAAAAAAAAAAAAAB')).toBeUndefined(); // bits beyond the 16th byte
  });
});
