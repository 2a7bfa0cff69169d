/**
 * What a shard tells main, in the order in which it happened. One slot is 16 words:
 *
 *   word 0      kind              append | control
 *   word 1      request           as submitted
 *   word 2      tag               as submitted
 *   word 3      errorCode         Kafka's number, 0 for success
 *   word 4      handle            partition handle
 *   word 5      flags             see CompletionFlag
 *   word 6, 7   baseOffset        low and high half
 *   word 8      lastOffsetDelta   of a batch refused with INVALID_RECORD: index of its first bad record, −1 for none
 *   word 9      position          of the batch in its segment, bytes
 *   word 10     length            of the batch, bytes
 *   word 11     leaderEpoch
 *   word 12, 13 maxTimestamp      low and high half, ms since the epoch
 *   word 14, 15 logAppendTime     low and high half, ms since the epoch; −1 for CreateTime topics
 *
 * A control slot carries only its kind: its payload is the next message of the control port.
 */
import type { RingProducer } from './ring.ts';

export const COMPLETION_WORDS = 16;

export const CompletionKind = { append: 1, control: 2 } as const;

/** Bits of word 5. A `memory` topic sends `answer` before its write and the others after it; all other topics send them at once. */
export const CompletionFlag = {
  /** The request's partition `tag` has its outcome. */
  answer: 1,
  /** The batch is secured and may be read: the view advances over it. */
  readable: 2,
  /** The shard does not look at the batch in the slab any more: the region may be reused. Exactly one completion per batch has it, the last. */
  released: 4,
} as const;

export const Completion = {
  kind: 0,
  request: 1,
  tag: 2,
  errorCode: 3,
  handle: 4,
  flags: 5,
  baseOffset: 6,
  lastOffsetDelta: 8,
  badRecord: 8,
  position: 9,
  length: 10,
  leaderEpoch: 11,
  maxTimestamp: 12,
  logAppendTime: 14,
} as const;

const TWO_32 = 4294967296;

/** Writes an int64 that a number holds exactly as two words at `at`. */
export function setLong(words: Int32Array, at: number, value: number): void {
  words[at] = value | 0;
  words[at + 1] = Math.floor(value / TWO_32);
}

/** Reads what {@link setLong} wrote. */
export function getLong(words: Int32Array, at: number): number {
  return (words[at + 1] as number) * TWO_32 + ((words[at] as number) >>> 0);
}

/** Announces a control message already posted on the control port. */
export function offerControl(producer: RingProducer, kind: number): void {
  producer.words[producer.claim()] = kind;
}
