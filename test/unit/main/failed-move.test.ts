/** What a shard that cannot be started costs: the change that needs it, and nothing that was there. */
import { expect, test } from 'vitest';
import { LifecycleBench } from '../../support/lifecycle-bench.ts';

const orders = { name: 'orders', replicationFactor: 1, partitions: 1 };

/** A bench whose shards of the class for buffered topics cannot be started until `mend` is called. */
async function withoutThreads(): Promise<{ bench: LifecycleBench; mend: () => void }> {
  const bench = await LifecycleBench.create();
  const { buffered } = bench.shards;
  Object.defineProperty(bench.shards, 'buffered', {
    configurable: true,
    get: () => {
      throw new Error('no thread can be started');
    },
  });
  return { bench, mend: () => void Object.defineProperty(bench.shards, 'buffered', { value: buffered }) };
}

test('a topic is not created for a shard that cannot be started, and is once it can', async () => {
  const { bench, mend } = await withoutThreads();
  try {
    const create = (): Promise<unknown> => bench.lifecycle.createTopic({ ...orders, configs: { 'ringlog.durability': 'page-cache' } });
    await expect(create()).rejects.toThrow('no thread can be started');
    expect([bench.catalog.topicCount, bench.router.topicByName('orders')]).toEqual([0, undefined]);
    mend();
    expect(await create()).toMatchObject({ ok: true });
    expect(bench.router.topicByName('orders')!.partitions.map((view) => view!.state)).toEqual(['online']);
  } finally {
    bench.close();
  }
});

test('a topic gets no more partitions from a class that cannot be started whole, and does once it can', async () => {
  const { bench, mend } = await withoutThreads();
  try {
    mend();
    await bench.lifecycle.createTopic({ ...orders, configs: { 'ringlog.durability': 'page-cache' } });
    const { buffered } = bench.shards;
    const starts: string[] = [];
    let isBroken = true;
    bench.onStartShards = (shardClass) => {
      starts.push(shardClass);
      if (isBroken) throw new Error('no thread can be started');
    };
    await expect(bench.lifecycle.createPartitions('orders', 3)).rejects.toThrow('no thread can be started');
    expect([bench.catalog.topicByName('orders')!.partitionCount, buffered.open.size]).toEqual([1, 1]);
    isBroken = false;
    expect(await bench.lifecycle.createPartitions('orders', 3)).toMatchObject({ ok: true });
    expect([bench.router.topicByName('orders')!.partitions.length, buffered.open.size, starts]).toEqual([3, 3, ['buffered', 'buffered']]);
  } finally {
    bench.close();
  }
});

test('a shard that cannot be started fails the change of durability, and the partition goes on in its own', async () => {
  const { bench, mend } = await withoutThreads();
  try {
    await bench.lifecycle.createTopic({ ...orders, configs: {} });
    const view = bench.router.topicByName('orders')!.partitions[0]!;
    const change = (): Promise<unknown> =>
      bench.lifecycle.alterTopicConfigs('orders', [{ name: 'ringlog.durability', operation: 'set', value: 'page-cache' }]);
    await expect(change()).rejects.toThrow('no thread can be started');
    expect([view.state, view.link.class, view.moveNumber, bench.shards.sync.open.size]).toEqual(['online', 'sync', 0, 1]);
    // Asked for again once it can be.
    mend();
    expect(await change()).toMatchObject({ ok: true });
    expect([view.state, view.link.class, view.moveNumber]).toEqual(['online', 'buffered', 1]);
  } finally {
    bench.close();
  }
});
