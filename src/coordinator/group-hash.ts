/** Which partition of `__consumer_offsets` holds a group: Kafka's rule, so that data folders and tools agree on it. */

/** Java's hash of a string, a signed 32-bit number over its UTF-16 units. */
export function javaHash(text: string): number {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (Math.imul(31, hash) + text.charCodeAt(index)) | 0;
  return hash;
}

/** The partition of a group among `partitionCount` of them. The hash −2^31 has no positive counterpart and counts as 0. */
export function groupPartition(groupId: string, partitionCount: number): number {
  const hash = javaHash(groupId);
  return (hash === -2147483648 ? 0 : Math.abs(hash)) % partitionCount;
}
