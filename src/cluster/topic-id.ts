/** Topic ids: 16 random bytes, in text as Kafka writes them (22 characters, base64url without padding). */

import { randomBytes } from 'node:crypto';

export const TOPIC_ID_BYTES = 16;
/** Sixteen zero bytes: "no id" in the protocol. */
export const ZERO_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAA';

/**
 * A new id. Like Kafka's it never begins with "-", which a command line would take for an option, and is none of the reserved ones (zero
 * and one). `random` gives bytes; tests and the simulator pass their own.
 */
export function newTopicId(random: (count: number) => Buffer = randomBytes): string {
  for (;;) {
    const bytes = random(TOPIC_ID_BYTES);
    // Version 4, variant 1, as Java's UUID.randomUUID sets them.
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    const id = topicIdFromBytes(bytes);
    if (!id.startsWith('-')) return id;
  }
}

export function topicIdFromBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, TOPIC_ID_BYTES).toString('base64url');
}

/** The 16 bytes of an id, or undefined when the text is none. */
export function topicIdToBytes(id: string): Buffer | undefined {
  if (!/^[A-Za-z0-9_-]{22}$/.test(id)) return undefined;
  const bytes = Buffer.from(id, 'base64url');
  return bytes.length === TOPIC_ID_BYTES && bytes.toString('base64url') === id ? bytes : undefined;
}
