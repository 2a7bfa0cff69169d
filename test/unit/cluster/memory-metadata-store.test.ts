import { MemoryMetadataStore } from '../../../src/cluster/memory-metadata-store.ts';
import { metadataStoreSuite } from '../../support/metadata-store-suite.ts';

metadataStoreSuite('memory', { open: async (clock) => new MemoryMetadataStore(clock) });
