/** The topics in what members of classic consumer groups tell their leader: all versions of that begin alike, with an int16 version and a list of names. */

/** What consumers call their protocol type. */
export const CONSUMER_PROTOCOL_TYPE = 'consumer';

/** Topics of a subscription, or null if the bytes are none. */
export function subscribedTopics(subscription: Uint8Array): string[] | null {
  const bytes = Buffer.from(subscription.buffer, subscription.byteOffset, subscription.byteLength);
  if (bytes.length < 6) return null;
  const count = bytes.readInt32BE(2);
  let position = 6;
  if (count < 0 || 2 * count > bytes.length - position) return null;
  const topics: string[] = [];
  for (let index = 0; index < count; index++) {
    if (bytes.length - position < 2) return null;
    const length = bytes.readInt16BE(position);
    position += 2;
    if (length < 0 || length > bytes.length - position) return null;
    topics.push(bytes.toString('utf8', position, position + length));
    position += length;
  }
  return topics;
}
