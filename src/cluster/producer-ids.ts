/**
 * Gives out producer ids, each once in the life of the cluster: in blocks, whose reservation is durable before the first id of it is given out. What is left of
 * a block when the broker ends, however it ends, is never used. Thread: main.
 */
import { MetadataStoreError, type MetadataStore } from './metadata-store.ts';

/** Holds the first id that is in nobody's block. */
export const PRODUCER_IDS_KEY = 'producer-ids/next';
/** Ids of one block (Kafka's number): a restart wastes at most so many, and one write to the store serves so many producers. */
export const PRODUCER_ID_BLOCK = 1000;
/** Tries of a reservation that loses against other brokers. */
const TRIES_MAX = 20;

/** See the file header. Always: next … end − 1 are reserved and given to nobody. */
export class ProducerIds {
  private readonly store: MetadataStore;
  private next = 0;
  private end = 0;
  private reserving: Promise<void> | null = null;

  constructor(store: MetadataStore) {
    this.store = store;
  }

  /** A new id. Rejects with MetadataStoreError when no block can be reserved. */
  async take(): Promise<number> {
    while (this.next === this.end) {
      this.reserving ??= this.reserve().finally(() => (this.reserving = null));
      await this.reserving;
    }
    return this.next++;
  }

  private async reserve(): Promise<void> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const entry = await this.store.get(PRODUCER_IDS_KEY);
      const first = (entry?.value as number | undefined) ?? 0;
      // Where the outcome is unknown this rejects, and the block, reserved or not, is nobody's.
      const result = await this.store.put(PRODUCER_IDS_KEY, first + PRODUCER_ID_BLOCK, { ifRevision: entry?.modRevision ?? 0 });
      if (!result.committed) continue;
      this.next = first;
      this.end = first + PRODUCER_ID_BLOCK;
      return;
    }
    throw new MetadataStoreError(`a block of producer ids was lost ${TRIES_MAX} times to other brokers`);
  }
}
