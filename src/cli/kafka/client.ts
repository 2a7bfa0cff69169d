/**
 * What the commands want of a Kafka cluster, on top of the client library (library.ts): topics, settings, offsets, records. Groups are in groups.ts. Every failure
 * is an error for a person (errors.ts).
 */
import { UserError } from '../../lib/user-error.ts';
import { UsageError } from '../exit.ts';
import { asUserError, BrokerRefusedError } from './errors.ts';
import {
  Admin,
  CAN_WRITE_ZSTD,
  compatibilityPartitioner,
  ConfigResourceTypes,
  Consumer,
  IncrementalAlterConfigOperationTypes,
  Producer,
  type ConsumerOptions,
  type MessageToProduce,
} from './library.ts';
import type {
  Acks,
  Cluster,
  Compression,
  Connection,
  Fetched,
  IncomingRecord,
  NewTopic,
  OffsetWish,
  OutgoingRecord,
  Placed,
  Setting,
  Topic,
} from './types.ts';

/** Sasl mechanisms that need nothing but a name and a password. */
const SASL_MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
/** For what passes by itself: a leader that is being elected, a topic that is being made. */
const RETRIES = 5;
const RETRY_DELAY_MS = 200;
const EARLIEST = -2n;
const LATEST = -1n;
/** Bit of a batch's attributes: written by the broker itself, not by a producer. */
const CONTROL_BATCH = 32;
/** Where a setting comes from: the topic itself. */
const SOURCE_TOPIC = 1;

/** A connection to a cluster. */
export class KafkaClient {
  /** As the person wrote it. */
  readonly bootstrap: string;
  readonly #options: ReturnType<typeof libraryOptions>;
  readonly #admin: Admin;
  /** Tries once only: for what should be told of at once, as a broker that is not there. */
  readonly #probe: Admin;
  #producer: Producer | undefined;
  #reader: Consumer | undefined;
  #turn = 0;

  /** Connects, and makes sure that a broker answers. */
  static async connect(connection: Connection): Promise<KafkaClient> {
    const client = new KafkaClient(connection);
    try {
      await client.#probe.metadata({ topics: [] });
    } catch (error) {
      await client.close();
      throw asUserError(error, client.bootstrap);
    }
    return client;
  }

  private constructor(connection: Connection) {
    this.bootstrap = connection.bootstrap;
    this.#options = libraryOptions(connection);
    this.#admin = new Admin(this.#options);
    this.#probe = new Admin({ ...this.#options, retries: 0 });
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const all = [this.#admin.close(), this.#probe.close(), this.#producer?.close(), this.#reader?.close(true)];
    await Promise.allSettled(all);
  }

  /** Does something with the library's admin client; for groups.ts. */
  async withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    return this.#try(() => work(this.#admin));
  }

  /** A consumer of the library that is a member of `groupId`. */
  newMember(groupId: string, options: Partial<ConsumerOptions<Buffer, Buffer, Buffer, Buffer>> = {}): Consumer {
    return new Consumer({ ...this.#options, ...options, groupId });
  }

  cluster(): Promise<Cluster> {
    return this.#try(async () => {
      const { id, controllerId, brokers } = await this.#admin.metadata({ topics: [], forceUpdate: true });
      const nodes = [...brokers].map(([nodeId, { host, port, rack }]) => ({ nodeId, host, port, rack: rack ?? null }));
      return { clusterId: id, controllerId, nodes: nodes.toSorted((a, b) => a.nodeId - b.nodeId) };
    });
  }

  /** Names of all topics, sorted. */
  topicNames(withInternal = false): Promise<string[]> {
    return this.#try(async () => (await this.#admin.listTopics({ includeInternals: withInternal })).toSorted());
  }

  /** Topics as they are now. One that is not there is refused, after a while: it may have been made a moment ago. */
  topics(names: readonly string[]): Promise<Topic[]> {
    return this.#topics(this.#admin, names);
  }

  #topics(admin: Admin, names: readonly string[]): Promise<Topic[]> {
    return this.#try(async () => {
      if (names.length === 0) return [];
      const { topics } = await admin.metadata({ topics: [...names], forceUpdate: true });
      return names.map((name) => {
        const found = topics.get(name);
        if (found === undefined)
          throw new UserError(`"${name}" is an internal topic, and the client library of this command does not show those.`);
        const partitions = found.partitions.map(({ leader, leaderEpoch, replicas, isr }, partition) => ({
          partition,
          leader,
          leaderEpoch,
          replicas,
          isr,
        }));
        return { name, id: found.id, partitions };
      });
    });
  }

  async topic(name: string): Promise<Topic> {
    return (await this.topics([name]))[0] as Topic;
  }

  /** A topic that need not be there: then undefined, at once. */
  async topicIfThere(name: string): Promise<Topic | undefined> {
    try {
      return (await this.#topics(this.#probe, [name]))[0];
    } catch (error) {
      if (error instanceof BrokerRefusedError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined;
      return this.topic(name); // what passes by itself
    }
  }

  /** Makes a topic; returns how many partitions it has. */
  createTopic({ name, partitions, replicationFactor, settings }: NewTopic): Promise<number> {
    return this.#try(async () => {
      const configs = [...settings].map(([key, value]) => ({ name: key, value }));
      await this.#admin.createTopics({ topics: [name], partitions, replicas: replicationFactor, configs });
      return (await this.topic(name)).partitions.length;
    });
  }

  deleteTopic(name: string): Promise<void> {
    return this.#try(() => this.#admin.deleteTopics({ topics: [name] }));
  }

  /** Raises the number of partitions of a topic to `count`. */
  growTopic(name: string, count: number): Promise<void> {
    // Null leaves it to the broker where they go; an empty list would be a wish for no place at all.
    const assignments = null as unknown as [];
    return this.#try(() => this.#admin.createPartitions({ topics: [{ name, count, assignments }] }));
  }

  topicSettings(topic: string): Promise<Setting[]> {
    return this.#try(async () => {
      const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }];
      const [found] = await this.#admin.describeConfigs({ resources });
      return (found?.configs ?? [])
        .map(({ name, value, configSource, readOnly }) => ({ name, value: value ?? null, own: configSource === SOURCE_TOPIC, readOnly }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  /** Sets settings of a topic, and gives others back to their default. */
  alterTopicSettings(topic: string, set: ReadonlyMap<string, string>, unset: readonly string[]): Promise<void> {
    const { SET, DELETE } = IncrementalAlterConfigOperationTypes;
    return this.#try(async () => {
      const configs = [
        ...[...set].map(([name, value]) => ({ name, configOperation: SET, value })),
        ...unset.map((name) => ({ name, configOperation: DELETE })),
      ];
      await this.#admin.incrementalAlterConfigs({
        resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs }],
      });
    });
  }

  /** Bytes that partitions take on their leaders' disks, by partition; empty when the cluster does not tell. */
  async topicBytes({ name, partitions }: Topic): Promise<Map<number, number>> {
    const sizes = new Map<number, number>();
    const asked = [{ name, partitions: partitions.map(({ partition }) => partition) }];
    const logDirs = await this.#admin.describeLogDirs({ topics: asked }).catch(() => []);
    for (const { broker, results } of logDirs)
      for (const each of results.flatMap((result) => result.topics).filter((topic) => topic.name === name))
        for (const { partitionIndex, partitionSize } of each.partitions)
          if (partitions[partitionIndex]?.leader === broker) sizes.set(partitionIndex, Number(partitionSize));
    return sizes;
  }

  /** The offset that fits the wish, by partition. Where no record is as young as a time, that is the end. */
  offsets(topic: string, partitions: readonly number[], wish: OffsetWish): Promise<Map<number, number>> {
    return this.#try(async () => {
      const found = await this.#listOffsets(topic, partitions, wish);
      const missing = [...found].filter(([, offset]) => offset < 0).map(([partition]) => partition);
      if (missing.length > 0) for (const [partition, end] of await this.#listOffsets(topic, missing, 'latest')) found.set(partition, end);
      return found;
    });
  }

  async #listOffsets(topic: string, partitions: readonly number[], wish: OffsetWish): Promise<Map<number, number>> {
    const timestamp = wish === 'earliest' ? EARLIEST : wish === 'latest' ? LATEST : BigInt(wish);
    const asked = partitions.map((partitionIndex) => ({ partitionIndex, timestamp }));
    const answers = await this.#admin.listOffsets({ topics: [{ name: topic, partitions: asked }] });
    const places = answers.flatMap((answer) => answer.partitions);
    return new Map(places.map(({ partitionIndex, offset }) => [partitionIndex, Number(offset)]));
  }

  /** Sends records of one topic, and resolves once they are acknowledged. */
  send(topic: string, records: readonly OutgoingRecord[], options: { acks: Acks; compression: Compression }): Promise<Placed[]> {
    if (options.compression === 'zstd' && !CAN_WRITE_ZSTD)
      throw new UsageError('zstd needs Node.js 22.15 or newer to write. Choose gzip, snappy, lz4 or none (--compression).');
    this.#producer ??= new Producer({ ...this.#options, autocreateTopics: true });
    const producer = this.#producer;
    // Records without a key stay together, and the next ones go to the next partition. The library takes the number modulo the partitions.
    const turn = this.#turn++;
    const partitioner = (message: MessageToProduce, key?: Buffer): number =>
      key === undefined ? turn : compatibilityPartitioner(message, key);
    return this.#try(async () => {
      const messages = records.map(({ key, value, headers, partition }) => ({
        topic,
        // The library writes null for what is not there.
        ...(key === null ? {} : { key }),
        ...(value === null ? {} : { value }),
        ...(partition === undefined ? {} : { partition }),
        headers: new Map(headers.map(([name, each]) => [Buffer.from(name), each])),
      }));
      const { offsets } = await producer.send({ messages, partitioner, ...options });
      return (offsets ?? []).map(({ partition, offset }) => ({ partition, offset: Number(offset) }));
    });
  }

  /**
   * Reads some records of partitions that all have the leader `node`, without a group. Waits up to `waitMs` for the first one.
   * @param from offset to read from, by partition
   */
  fetch(
    topic: Topic,
    node: number,
    from: ReadonlyMap<number, number>,
    { waitMs, bytesMax }: { waitMs: number; bytesMax: number },
  ): Promise<Fetched> {
    // The library wants a group id even for this, and then does not use it.
    this.#reader ??= new Consumer({ ...this.#options, groupId: 'ringlog-cli', isolationLevel: 0, retries: 0 });
    const reader = this.#reader;
    return this.#try(async () => {
      const partitions = [...from].map(([partition, offset]) => ({
        partition,
        currentLeaderEpoch: -1,
        lastFetchedEpoch: -1,
        fetchOffset: BigInt(offset),
        partitionMaxBytes: bytesMax,
      }));
      const { responses } = await reader.fetch({
        node,
        topics: [{ topicId: topic.id, partitions }],
        maxWaitTime: waitMs,
        minBytes: 1,
        maxBytes: bytesMax,
      });
      const records: IncomingRecord[] = [];
      const next = new Map<number, number>();
      for (const { partitionIndex: partition, records: batches } of responses.flatMap((response) => response.partitions))
        for (const batch of batches ?? []) {
          const base = Number(batch.firstOffset);
          const end = base + batch.lastOffsetDelta + 1;
          const start = next.get(partition) ?? from.get(partition) ?? 0;
          if (end <= start) continue;
          next.set(partition, end);
          if ((batch.attributes & CONTROL_BATCH) !== 0) continue;
          for (const { offsetDelta, timestampDelta, key, value, headers } of batch.records) {
            if (base + offsetDelta < start) continue;
            const timestampMs = Number(batch.firstTimestamp + timestampDelta);
            const named = headers.map(([name, each]): [string, Buffer | null] => [String(name ?? ''), each]);
            records.push({ topic: topic.name, partition, offset: base + offsetDelta, timestampMs, key, value, headers: named });
          }
        }
      return { records, next };
    });
  }

  async #try<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asUserError(error, this.bootstrap);
    }
  }
}

function libraryOptions({ bootstrap, tls, sasl, timeoutMs }: Connection) {
  return {
    clientId: 'ringlog-cli',
    bootstrapBrokers: bootstrap.split(',').map(parseAddress),
    connectTimeout: Math.min(timeoutMs, 5_000),
    requestTimeout: timeoutMs,
    timeout: timeoutMs,
    retries: RETRIES,
    retryDelay: RETRY_DELAY_MS,
    ...(tls ? { tls: {} } : {}),
    ...(sasl === undefined ? {} : { sasl: parseSasl(sasl) }),
  };
}

function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^:/\s[\]]+))(?::([0-9]{1,5}))?$/.exec(text.trim());
  const port = Number(match?.[3] ?? 9092);
  if (match === null || port < 1 || port > 65_535)
    throw new UsageError(
      `Invalid --bootstrap "${text}": it must be host:port, for example 127.0.0.1:9092; several with commas between them.`,
    );
  return { host: (match[1] ?? match[2]) as string, port };
}

function parseSasl(text: string) {
  const [name = '', username = '', ...rest] = text.split(':');
  const mechanism = SASL_MECHANISMS.find((each) => each === name.toUpperCase());
  if (mechanism === undefined || username === '' || rest.length === 0)
    throw new UsageError(`Invalid --sasl: it must be mechanism:user:password, with one of ${SASL_MECHANISMS.join(', ')} as mechanism.`);
  return { mechanism, username, password: rest.join(':') };
}
