/** A partition whose next shard cannot be started stays where it is. */
import { expect, test } from 'vitest';
import { LifecycleBench } from '../../support/lifecycle-bench.ts';

test('a shard that cannot be started fails the change of durability, and the partition goes on in its own', async () => {
  const bench = await LifecycleBench.create();
  try {
    await bench.lifecycle.createTopic({ name: 'orders', partitions: 1, replicationFactor: 1, configs: {} });
    const view = bench.router.topicByName('orders')!.partitions[0]!;
    const { buffered } = bench.shards;
    Object.defineProperty(bench.shards, 'buffered', {
      configurable: true,
      get: () => {
        throw new Error('no thread can be started');
      },
    });
    const change = (): Promise<unknown> =>
      bench.lifecycle.alterTopicConfigs('orders', [{ name: 'ringlog.durability', operation: 'set', value: 'page-cache' }]);
    await expect(change()).rejects.toThrow('no thread can be started');
    expect([view.state, view.link.class, view.moveNumber, bench.shards.sync.open.size]).toEqual(['online', 'sync', 0, 1]);
    // Asked for again once it can be.
    Object.defineProperty(bench.shards, 'buffered', { value: buffered });
    expect(await change()).toMatchObject({ ok: true });
    expect([view.state, view.link.class, view.moveNumber]).toEqual(['online', 'buffered', 1]);
  } finally {
    bench.close();
  }
});
