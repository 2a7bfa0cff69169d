/**
 * Where things lie in a data folder.
 *
 *   <data>/
 *     CURRENT                                     names the generation that holds the truth (see generation.ts)
 *     generations/<generation>/<class>-<n>/       one folder per shard of that generation
 *       journal-<number>.jrn                      preallocated journal files
 *       <sequence>.ckpt                           checkpoints, the newest two
 *     generations/<generation>/begun/<class>-<n>  empty: that shard has begun, and its folder has to be there (see begun.ts)
 *     topics/<topicId>/<partition>/
 *       <baseOffset>.log  <baseOffset>.index
 *       <baseOffset>.<revision>.log …             what compaction made of one segment or several; the state of the partition says which file is which
 *     pool/<bytes>-<random>.pool                  retired segments waiting for a next owner
 *     quarantine/                                 what recovery cut or could not place; never read again by ringlog
 *     reserve                                     space given up when the disk is full, so that a checkpoint can finish
 */

/** Offsets in file names have 20 digits, so that names sort as numbers do. */
export function offsetName(offset: number): string {
  return String(offset).padStart(20, '0');
}

export function partitionFolder(dataFolder: string, topicId: string, partition: number): string {
  return `${dataFolder}/topics/${topicId}/${partition}`;
}

/** @param revision of a segment that compaction has written; 0 for one that was appended to */
export function segmentPath(dataFolder: string, topicId: string, partition: number, baseOffset: number, revision = 0): string {
  return `${partitionFolder(dataFolder, topicId, partition)}/${segmentName(baseOffset, revision)}.log`;
}

/** Name of the files of a segment, without extension. */
export function segmentName(baseOffset: number, revision = 0): string {
  return revision === 0 ? offsetName(baseOffset) : `${offsetName(baseOffset)}.${revision}`;
}

export function generationFolder(dataFolder: string, generation: string): string {
  return `${dataFolder}/generations/${generation}`;
}

export function poolFolder(dataFolder: string): string {
  return `${dataFolder}/pool`;
}

export function quarantineFolder(dataFolder: string): string {
  return `${dataFolder}/quarantine`;
}

export function reservePath(dataFolder: string): string {
  return `${dataFolder}/reserve`;
}

export function checkpointName(sequence: number): string {
  return `${offsetName(sequence)}.ckpt`;
}

export function journalName(number: number): string {
  return `journal-${String(number).padStart(6, '0')}.jrn`;
}

/** Sequence of a checkpoint file's name, or −1 for any other name. */
export function checkpointSequence(name: string): number {
  const match = /^(\d{20})\.ckpt$/.exec(name);
  return match === null ? -1 : Number(match[1]);
}

/** Base offset in a segment file's name, or −1 for any other name. */
export function segmentOffset(name: string): number {
  const match = /^(\d{20})\.log$/.exec(name);
  return match === null ? -1 : Number(match[1]);
}

/** What the name of a segment file or its index says; null for any other name. */
export function parseSegmentFile(name: string): { readonly baseOffset: number; readonly revision: number } | null {
  const match = /^(\d{20})(?:\.(\d{1,16}))?\.(?:log|index)$/.exec(name);
  return match === null ? null : { baseOffset: Number(match[1]), revision: Number(match[2] ?? 0) };
}

/** Number of a journal file's name, or −1 for any other name. */
export function journalNumber(name: string): number {
  const match = /^journal-(\d{6,})\.jrn$/.exec(name);
  return match === null ? -1 : Number(match[1]);
}

/** The name under which a file is written until it is durable and gets its own: nothing reads it, and whoever finds it may remove it. */
export function halfMade(path: string): string {
  return `${path}.tmp`;
}

/** True for a name that {@link halfMade} gave. */
export function isHalfMade(name: string): boolean {
  return name.endsWith('.tmp');
}
