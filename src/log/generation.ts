/**
 * Every start of a broker begins a new generation: a folder with fresh checkpoints and journals. The file CURRENT names the one that holds the
 * truth and is replaced atomically, after the new checkpoints are durable, so a crash during recovery simply repeats it.
 */
import { randomBytes } from 'node:crypto';
import { encodeCheckpoint, type CheckpointPartition } from './checkpoint.ts';
import { isSpaceError, readFileIfPresent, replaceFileDurably, type Disk } from './disk.ts';
import { checkpointName, generationFolder, isHalfMade, journalName, journalNumber } from './layout.ts';

const CURRENT = 'CURRENT';

/** What recovery needs to know when it refuses to guess. The message says what to do. */
export class RecoveryError extends Error {
  override name = 'RecoveryError';
}

/** The name of the generation that holds the truth, or null in a data folder that never had one. */
export function currentGeneration(disk: Disk, dataFolder: string): string | null {
  const bytes = readFileIfPresent(disk, `${dataFolder}/${CURRENT}`);
  if (bytes === null) {
    if (disk.list(`${dataFolder}/generations`).length > 0 && disk.list(`${dataFolder}/topics`).length > 0)
      throw new RecoveryError(
        `${dataFolder}/${CURRENT} is missing although there is data beside it; restore it from a backup: it names one of the folders in generations/`,
      );
    return null;
  }
  const name = bytes.toString('utf8').trim();
  if (!/^[0-9a-f]{16}$/.test(name)) {
    const found = JSON.stringify(name.slice(0, 40));
    throw new RecoveryError(`${dataFolder}/${CURRENT} does not name a generation (found ${found}, expected 16 hex digits)`);
  }
  return name;
}

/** A random name for a new generation. */
export function newGenerationName(random: (bytes: number) => Buffer = randomBytes): string {
  return random(8).toString('hex');
}

/** The number that journal groups and checkpoints of a generation carry. */
export function generationNumber(name: string): bigint {
  return BigInt(`0x${name}`);
}

/** A shard's part of a new generation. */
export interface ShardBeginning {
  /** Folder name, `<class>-<n>`. */
  readonly shard: string;
  readonly partitions: readonly CheckpointPartition[];
}

/** Creates a shard's folder of a generation with its first checkpoint (sequence 0) and makes it durable. */
export function beginShard(disk: Disk, dataFolder: string, generation: string, beginning: ShardBeginning): string {
  const folder = `${generationFolder(dataFolder, generation)}/${beginning.shard}`;
  disk.mkdir(folder);
  // The whole chain, not only what is new: a start that was killed may have left folders that exist in the cache only.
  for (const above of [dataFolder, `${dataFolder}/generations`, generationFolder(dataFolder, generation)]) disk.syncFolder(above);
  const bytes = encodeCheckpoint({ generation: generationNumber(generation), sequence: 0, clean: false, partitions: beginning.partitions });
  replaceFileDurably(disk, folder, checkpointName(0), bytes);
  return folder;
}

/**
 * Removes what a killed process left half made: generations that never became the truth, and files under a name of their own that were not yet what they are
 * for, a journal file among them. Generations that were the truth may still hold journal files worth keeping. False: there was nothing.
 */
export function discardUnborn(disk: Disk, dataFolder: string): boolean {
  const current = currentGeneration(disk, dataFolder);
  let removed = false;
  for (const name of disk.list(`${dataFolder}/generations`)) {
    const folder = generationFolder(dataFolder, name);
    const files = disk.list(folder).flatMap((shard) => disk.list(`${folder}/${shard}`).map((file) => `${shard}/${file}`));
    const isKept = name === current || files.some((file) => journalNumber(file.slice(file.indexOf('/') + 1)) >= 0);
    if (!isKept) disk.removeTree(folder);
    const halfMade = isKept ? files.filter(isHalfMade) : [];
    for (const file of halfMade) disk.unlink(`${folder}/${file}`);
    removed ||= !isKept || halfMade.length > 0;
  }
  return removed;
}

/**
 * Makes `generation` the truth, then recycles what earlier ones left: their journal files go to `heirs` (shard folders of the new generation), one to each
 * first, so that every shard begins without asking the disk for room, the others to the first; the rest is removed. Everything after the switch may be lost
 * in a crash; the next start does it again.
 */
export function switchGeneration(
  disk: Disk,
  dataFolder: string,
  generation: string,
  heirs: readonly string[],
  journalBytesMax: number,
): void {
  replaceFileDurably(disk, dataFolder, CURRENT, Buffer.from(`${generation}\n`));
  const found = disk
    .list(`${dataFolder}/generations`)
    .filter((name) => name !== generation)
    .map((name) => generationFolder(dataFolder, name));
  let inherited = 0;
  let number = 0;
  for (const folder of found)
    for (const shard of disk.list(folder))
      for (const name of disk.list(`${folder}/${shard}`)) {
        const heir = heirs[number] ?? heirs[0];
        if (heir === undefined || journalNumber(name) < 0) continue;
        const fd = disk.open(`${folder}/${shard}/${name}`, 'read');
        const bytes = disk.size(fd);
        disk.close(fd);
        if (inherited + bytes > journalBytesMax) continue;
        if (!inherit(disk, `${folder}/${shard}/${name}`, `${heir}/${journalName(number)}`)) continue;
        inherited += bytes;
        number++;
      }
  for (const folder of found) disk.removeTree(folder);
  for (const heir of heirs.slice(0, number)) disk.syncFolder(heir);
}

/** A full disk may have no room for the name: then the file goes with its folder. */
function inherit(disk: Disk, from: string, to: string): boolean {
  try {
    disk.rename(from, to);
    return true;
  } catch (error) {
    if (isSpaceError(error)) return false;
    throw error;
  }
}
