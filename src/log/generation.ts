/**
 * Every start of a broker begins a new generation: a folder with fresh checkpoints and journals. The file CURRENT names the one that holds the
 * truth and is replaced atomically, after the new checkpoints are durable, so a crash during recovery simply repeats it.
 */
import { randomBytes } from 'node:crypto';
import { noteBegun } from './begun.ts';
import { encodeCheckpoint, type CheckpointPartition } from './checkpoint.ts';
import { DiskError, readFileIfPresent, replaceFileDurably, type Disk } from './disk.ts';
import { checkpointName, generationFolder, isHalfMade, journalName, journalNumber } from './layout.ts';
import type { RecoveryNote } from './recovery-note.ts';

const CURRENT = 'CURRENT';

/** What recovery needs to know when it refuses to guess. The message says what to do. */
export class RecoveryError extends Error {
  override name = 'RecoveryError';
}

/** The name of the generation that holds the truth, or null in a data folder that never had one. */
export function currentGeneration(disk: Disk, dataFolder: string): string | null {
  const bytes = readFileIfPresent(disk, `${dataFolder}/${CURRENT}`);
  if (bytes === null) {
    // Topics are made behind the first switch only: a folder that has some has lost its truth, and to begin anew would give out their offsets again.
    if (disk.list(`${dataFolder}/topics`).length > 0)
      throw new RecoveryError(
        `${dataFolder}/${CURRENT} is missing although there is data beside it; restore it and generations/ from a backup: it names one of the folders there`,
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

/** The same in the middle of a generation, for a shard that has no partition yet. Nothing of it may be recorded before this returns; it may be repeated until then. */
export function beginLateShard(disk: Disk, dataFolder: string, generation: string, shard: string): void {
  beginShard(disk, dataFolder, generation, { shard, partitions: [] });
  noteBegun(disk, generationFolder(dataFolder, generation), [shard]);
}

/**
 * Removes what a killed process left half made: generations that never became the truth, and files under a name of their own that were not yet what they are
 * for, a journal file among them. Generations that were the truth may still hold journal files worth keeping. What the disk refuses to remove stays: nobody reads it.
 * False: there was nothing.
 */
export function discardUnborn(disk: Disk, dataFolder: string): boolean {
  const current = currentGeneration(disk, dataFolder);
  let removed = false;
  for (const name of disk.list(`${dataFolder}/generations`)) {
    const folder = generationFolder(dataFolder, name);
    refusalOf(() => {
      const files = disk.list(folder).flatMap((shard) => disk.list(`${folder}/${shard}`).map((file) => `${shard}/${file}`));
      const isKept = name === current || files.some((file) => journalNumber(file.slice(file.indexOf('/') + 1)) >= 0);
      const halfMade = isKept ? files.filter(isHalfMade) : [];
      if (!isKept) disk.removeTree(folder);
      for (const file of halfMade) disk.unlink(`${folder}/${file}`);
      removed ||= !isKept || halfMade.length > 0;
    });
  }
  return removed;
}

/** Makes `generation` the truth. */
export function switchGeneration(disk: Disk, dataFolder: string, generation: string): void {
  replaceFileDurably(disk, dataFolder, CURRENT, Buffer.from(`${generation}\n`));
}

/**
 * Recycles what the generations before `generation`, which is the truth, have left: their journal files go to `heirs` (shard folders of the new generation), one to
 * each first, so that every shard begins without asking the disk for room, the others to the first; the rest is removed. All of it may be lost in a crash; the next
 * start does it again. What the disk refuses stays as well and is told of: nobody needs it. Throws DiskError only where a name that an heir was given cannot be made
 * durable.
 */
export function recycleGenerations(
  disk: Disk,
  dataFolder: string,
  generation: string,
  heirs: readonly string[],
  journalBytesMax: number,
): RecoveryNote[] {
  const notes: RecoveryNote[] = [];
  const renamedInto = new Set<string>();
  let inherited = 0;
  let number = 0;
  const inherit = (path: string): void => {
    const heir = heirs[number] ?? heirs[0];
    if (heir === undefined) return;
    const fd = disk.open(path, 'read');
    let bytes: number;
    try {
      bytes = disk.size(fd);
    } finally {
      disk.close(fd);
    }
    if (inherited + bytes > journalBytesMax) return;
    renamedInto.add(heir);
    disk.rename(path, `${heir}/${journalName(number)}`);
    inherited += bytes;
    number++;
  };
  const recycle = (folder: string): void => {
    for (const shard of disk.list(folder))
      for (const name of disk.list(`${folder}/${shard}`))
        // One that cannot be read, or for whose name a full disk has no room, goes with its folder.
        if (journalNumber(name) >= 0) refusalOf(() => inherit(`${folder}/${shard}/${name}`));
  };
  const before = disk
    .list(`${dataFolder}/generations`)
    .filter((name) => name !== generation)
    .map((name) => generationFolder(dataFolder, name));
  for (const folder of before) refusalOf(() => recycle(folder));
  for (const folder of before) {
    const refusal = refusalOf(() => disk.removeTree(folder));
    if (refusal !== null)
      notes.push({
        kind: 'left-behind',
        text: `${folder} is not needed any more and cannot be removed (${refusal.message}); the next start tries again`,
      });
  }
  for (const heir of renamedInto) disk.syncFolder(heir);
  return notes;
}

/** Why the disk refused, or null. */
function refusalOf(run: () => void): DiskError | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof DiskError) return error;
    throw error;
  }
}
