/** The application: places orders, and tells how many were placed. It knows a Kafka client and an address, and nothing of tests. */
import { Admin, Producer, stringSerializers } from '@platformatic/kafka';

export interface Order {
  readonly customer: string;
  readonly article: string;
}

export class Orders {
  private readonly admin: Admin;
  private readonly producer: Producer<string, string, string, string>;

  constructor(address: string) {
    const options = { clientId: 'orders', bootstrapBrokers: [address] };
    this.admin = new Admin(options);
    this.producer = new Producer({ ...options, serializers: stringSerializers });
  }

  async prepare(): Promise<void> {
    await this.admin.createTopics({ topics: ['orders'], partitions: 3, replicas: 1 });
  }

  /** Resolves with the offset of the order in its partition, once the broker has it on disk. Orders of a customer stay in order. */
  async place(order: Order): Promise<bigint> {
    const messages = [{ topic: 'orders', key: order.customer, value: JSON.stringify(order) }];
    const { offsets } = await this.producer.send({ messages, acks: -1 });
    return offsets![0]!.offset;
  }

  /** How many orders there are in each partition. */
  async count(): Promise<number[]> {
    const partitions = [0, 1, 2].map((partitionIndex) => ({ partitionIndex, timestamp: -1n }));
    const [topic] = await this.admin.listOffsets({ topics: [{ name: 'orders', partitions }] });
    return topic!.partitions.map(({ offset }) => Number(offset));
  }

  async close(): Promise<void> {
    await this.producer.close();
    await this.admin.close();
  }
}
