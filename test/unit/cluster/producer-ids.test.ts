/** Producer ids: each is given out once, over restarts, crashes and several brokers. */
import { afterEach, expect, test, vi } from 'vitest';
import { MemoryMetadataStore } from '../../../src/cluster/memory-metadata-store.ts';
import { MetadataStoreError } from '../../../src/cluster/metadata-store.ts';
import { PRODUCER_ID_BLOCK, PRODUCER_IDS_KEY, ProducerIds } from '../../../src/cluster/producer-ids.ts';

afterEach(() => void vi.restoreAllMocks());

test('ids ascend from 0, and a block is reserved in the store before its first id is given out', async () => {
  const store = new MemoryMetadataStore();
  const ids = new ProducerIds(store);
  const first = ids.take();
  expect(await first).toBe(0);
  expect((await store.get(PRODUCER_IDS_KEY))?.value).toBe(PRODUCER_ID_BLOCK);
  for (let n = 1; n <= PRODUCER_ID_BLOCK; n++) expect(await ids.take()).toBe(n);
  expect((await store.get(PRODUCER_IDS_KEY))?.value).toBe(2 * PRODUCER_ID_BLOCK);
});

test('a broker that starts again, or another one, gives out others', async () => {
  const store = new MemoryMetadataStore();
  const brokers = [new ProducerIds(store), new ProducerIds(store), new ProducerIds(store)];
  const taken = await Promise.all(Array.from({ length: 30 }, (_, n) => (brokers[n % 3] as ProducerIds).take()));
  expect(new Set(taken).size).toBe(30);
  const later = await new ProducerIds(store).take();
  expect(later).toBeGreaterThan(Math.max(...taken));
});

test('many at once share the reservation', async () => {
  const store = new MemoryMetadataStore();
  const put = vi.spyOn(store, 'put');
  const ids = new ProducerIds(store);
  const taken = await Promise.all(Array.from({ length: 500 }, () => ids.take()));
  expect(new Set(taken).size).toBe(500);
  expect(put).toHaveBeenCalledTimes(1);
});

test('while the store fails nobody gets an id, and then nobody gets one of a block whose fate is unknown', async () => {
  const store = new MemoryMetadataStore();
  const ids = new ProducerIds(store);
  const put = store.put.bind(store);
  // The reservation happens, and nobody hears of it.
  vi.spyOn(store, 'put').mockImplementationOnce(async (...args) => {
    await put(...args);
    throw new MetadataStoreError('broken', { outcomeUnknown: true });
  });
  await expect(ids.take()).rejects.toThrow('broken');
  expect(await ids.take()).toBe(PRODUCER_ID_BLOCK);
});
