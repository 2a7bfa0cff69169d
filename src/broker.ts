/** Placeholder of the composition root, so that the command line can be tried: takes the data folder and the port, and answers nothing. */

import { createServer, type AddressInfo, type Server } from 'node:net';
import { EmbeddedMetadataStore } from './cluster/embedded-metadata-store.ts';
import { TopicCatalog } from './cluster/topic-catalog.ts';
import { resolveBrokerConfig, type BrokerConfig, type BrokerFlags } from './config/broker-config.ts';
import { openDataFolder } from './config/data-folder.ts';
import { formatAddress } from './config/listeners.ts';

export class Broker {
  readonly config: BrokerConfig;
  readonly address: string;
  readonly closed: Promise<Error | undefined>;
  readonly #stop: () => Promise<void>;
  #resolveClosed: (reason: Error | undefined) => void = () => undefined;

  static async start(flags: BrokerFlags = {}): Promise<Broker> {
    const config = resolveBrokerConfig(flags);
    const folder = await openDataFolder(config.dataDir, {
      nodeId: config.nodeId,
      initialize: (path) => EmbeddedMetadataStore.create(path),
    });
    try {
      const store = await EmbeddedMetadataStore.open(folder.metaPath);
      const catalog = await TopicCatalog.load(store, { nodeId: config.nodeId, defaultPartitions: config.defaultPartitions });
      const server = await listen(config);
      const { address, port } = server.address() as AddressInfo;
      return new Broker(config, formatAddress({ host: address, port }), async () => {
        await new Promise((resolve) => server.close(resolve));
        catalog.close();
        await store.close();
        await folder.close();
      });
    } catch (error) {
      await folder.close();
      throw error;
    }
  }

  private constructor(config: BrokerConfig, address: string, stop: () => Promise<void>) {
    this.config = config;
    this.address = address;
    this.#stop = stop;
    this.closed = new Promise((resolve) => (this.#resolveClosed = resolve));
  }

  async stop(): Promise<void> {
    await this.#stop();
    this.#resolveClosed(undefined);
  }
}

function listen(config: BrokerConfig): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once('error', reject);
    server.listen({ host: config.host, port: config.port }, () => resolve(server));
  });
}
