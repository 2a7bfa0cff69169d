/** Calls to shards that wait for their answer, and what a shard is told of a topic's configuration. Main only. */
import type { TopicConfig } from '../config/topic-config.ts';
import { assert } from '../lib/assert.ts';
import type { FromShard, ToShard } from '../log/messages.ts';
import type { PartitionConfig } from '../log/partition-state.ts';
import type { ShardClass } from './early-shards.ts';
import type { ShardLink } from './shard-link.ts';

type Answers = {
  open: Extract<FromShard, { kind: 'opened' }>;
  close: Extract<FromShard, { kind: 'closed' }>;
  configure: Extract<FromShard, { kind: 'configured' }>;
  moveOut: Extract<FromShard, { kind: 'movedOut' }>;
  truncate: Extract<FromShard, { kind: 'truncated' }>;
  setLogStart: Extract<FromShard, { kind: 'logStartSet' }>;
};
type Call = Extract<ToShard, { kind: keyof Answers }>;
type Answer = Answers[keyof Answers];

const ANSWER_OF: { readonly [K in keyof Answers]: Answers[K]['kind'] } = {
  open: 'opened',
  close: 'closed',
  configure: 'configured',
  moveOut: 'movedOut',
  truncate: 'truncated',
  setLogStart: 'logStartSet',
};

interface Waiting {
  readonly kind: Answer['kind'];
  readonly resolve: (answer: Answer) => void;
}

/**
 * Matches answers to calls by partition: a shard answers the calls about one partition in their order. (While a partition moves, the old shard has answered
 * before the new one is called.)
 */
export class ShardCalls {
  private readonly waiting = new Map<number, Waiting[]>();

  /** Calls that are not answered yet. */
  get size(): number {
    let size = 0;
    for (const queue of this.waiting.values()) size += queue.length;
    return size;
  }

  /** Sends a control message; resolves with the shard's answer to it. Never rejects: a shard that dies takes the broker with it. */
  call<K extends keyof Answers>(link: ShardLink, message: Extract<Call, { kind: K }>): Promise<Answers[K]> {
    return new Promise((resolve) => {
      const queue = this.waiting.get(message.handle) ?? [];
      queue.push({ kind: ANSWER_OF[message.kind], resolve: resolve as (answer: Answer) => void });
      this.waiting.set(message.handle, queue);
      link.control(message);
    });
  }

  /** A shard answered. Returns true. */
  onReply(answer: Answer): boolean {
    const queue = this.waiting.get(answer.handle);
    const first = queue?.shift();
    assert(
      queue !== undefined && first !== undefined && first.kind === answer.kind,
      `unexpected ${answer.kind} of partition handle ${answer.handle}`,
    );
    if (queue.length === 0) this.waiting.delete(answer.handle);
    first.resolve(answer);
    return true;
  }
}

/** Which shards serve a topic: those that wait for the disk, or those that do not. */
export function shardClassOf(config: Pick<TopicConfig, 'durability'>): ShardClass {
  return config.durability === 'fsync' ? 'sync' : 'buffered';
}

/** What a shard needs to know of a topic's configuration. */
export function partitionConfig(config: TopicConfig): PartitionConfig {
  return {
    durability: config.durability,
    segmentBytes: config.segmentBytes,
    segmentMs: config.segmentMs,
    segmentJitterMs: config.segmentJitterMs,
    // Without the policy `delete` records only go when a client asks.
    retentionMs: config.cleanupDelete ? config.retentionMs : Infinity,
    retentionBytes: config.cleanupDelete ? config.retentionBytes : Infinity,
    maxMessageBytes: config.maxMessageBytes,
    timestampType: config.messageTimestampType,
    timestampBeforeMsMax: config.messageTimestampBeforeMsMax,
    timestampAfterMsMax: config.messageTimestampAfterMsMax,
    compaction: config.cleanupCompact ? config.compaction : null,
  };
}
