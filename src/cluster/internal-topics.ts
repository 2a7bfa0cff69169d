/** The topics that are the broker's own: their names, how they are created, and what clients may not do with them. Pure. */
import type { BrokerConfig } from '../config/broker-config.ts';
import { refuse, type CatalogRefusal, type NewTopic } from './topic-rules.ts';

/** Consumer groups and their offsets. */
export const OFFSETS_TOPIC = '__consumer_offsets';
/** Transactions. */
const TRANSACTIONS_TOPIC = '__transaction_state';
const SHARE_GROUPS_TOPIC = '__share_group_state';

const INTERNAL_TOPICS: ReadonlySet<string> = new Set([OFFSETS_TOPIC, TRANSACTIONS_TOPIC, SHARE_GROUPS_TOPIC]);

/** Whether the topic of this name is the broker's own. */
export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name);
}

/** Why a client may not have `done` to the topic of this name; undefined when it is not the broker's own. */
export function internalTopicRefusal(name: string, done: string): CatalogRefusal | undefined {
  if (!isInternalTopic(name)) return undefined;
  return refuse('INVALID_TOPIC_EXCEPTION', `Topic '${name}' is the broker's own and cannot be ${done} by a client.`);
}

/** What a batch of a coordinator may always have, however little the batches of clients may. */
const BATCH_BYTES = 1_048_588;

/** The topic of consumer groups as it is created at first use. */
export function offsetsTopic(broker: BrokerConfig): NewTopic {
  return {
    name: OFFSETS_TOPIC,
    partitions: broker.offsetsTopicPartitions,
    replicationFactor: 1,
    configs: {
      'cleanup.policy': 'compact',
      'compression.type': 'producer',
      'max.message.bytes': String(Math.max(BATCH_BYTES, broker.values.get('message.max.bytes')?.value as number)),
      'ringlog.durability': broker.offsetsTopicDurability,
      'segment.bytes': String(broker.offsetsTopicSegmentBytes),
      // A committed offset holds until its group expires, which is not for the log to say.
      'retention.ms': '-1',
      'retention.bytes': '-1',
    },
  };
}
