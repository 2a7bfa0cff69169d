/** The topics that are the broker's own: their names, how they are created, and what clients may not do with them. Pure. */
import type { BrokerConfig } from '../config/broker-config.ts';
import { collisionForm } from './metadata-image.ts';
import { refuse, type CatalogRefusal, type NewTopic } from './topic-rules.ts';

/** Consumer groups and their offsets. */
export const OFFSETS_TOPIC = '__consumer_offsets';
/** Transactions. */
const TRANSACTIONS_TOPIC = '__transaction_state';
const SHARE_GROUPS_TOPIC = '__share_group_state';

const INTERNAL_TOPICS: ReadonlySet<string> = new Set([OFFSETS_TOPIC, TRANSACTIONS_TOPIC, SHARE_GROUPS_TOPIC]);

const RESERVED_FORMS: ReadonlySet<string> = new Set([...INTERNAL_TOPICS].map(collisionForm));

/** Whether the topic of this name is the broker's own. */
export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name);
}

/**
 * Whether a client may not create a topic of this name: the broker's own, or one that differs from such a name in `.` and `_` only, with which the broker's own
 * could not be created any more.
 */
export function isReservedName(name: string): boolean {
  return RESERVED_FORMS.has(collisionForm(name));
}

/** Why a client may not create a topic of this name, or undefined. */
export function newTopicRefusal(name: string): CatalogRefusal | undefined {
  if (isInternalTopic(name) || !isReservedName(name)) return internalTopicRefusal(name, 'created');
  return refuse('INVALID_TOPIC_EXCEPTION', `Topic '${name}' collides with a topic of the broker's own.`);
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
