/** The metadata store of tests and simulator: nothing is durable, everything else is as in the embedded one. */

import { MetadataState } from './metadata-state.ts';
import { QueuedMetadataStore, SYSTEM_METADATA_CLOCK, type MetadataClock } from './queued-metadata-store.ts';

export class MemoryMetadataStore extends QueuedMetadataStore {
  constructor(clock: MetadataClock = SYSTEM_METADATA_CLOCK) {
    super(new MetadataState(), clock);
  }

  protected override persist(): Promise<void> {
    return Promise.resolve();
  }

  protected override release(): Promise<void> {
    return Promise.resolve();
  }
}
