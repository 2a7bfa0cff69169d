/**
 * Recovery: from checkpoints and journals to partitions that may be served. Runs once at start, before any traffic; its length is bounded by the
 * checkpoint interval, never by what is stored.
 *
 * What a log contains is what checkpoint and journal say, never what a scan finds. Everything kept above the checkpoint is rewritten and synced
 * before it is served, because the page cache may show bytes that are not on disk (a sync that failed leaves pages clean and readable). An
 * exception are referenced bytes of groups that something behind them vouches for: their sync returned success.
 *
 * A crash at any point repeats it: journals and checkpoints are only read, and CURRENT still names the old generation.
 */
import { BEGUN, begunShards } from './begun.ts';
import { currentGeneration, generationNumber, RecoveryError } from './generation.ts';
import { loadCheckpoint } from './checkpoint.ts';
import { nothingFollows, readJournal } from './journal-reader.ts';
import { JournalFiles } from './journal-files.ts';
import { checkpointSequence, generationFolder, journalNumber } from './layout.ts';
import { OwedSyncs } from './owed-syncs.ts';
import { isSpaceError, type Disk } from './disk.ts';
import { partitionKey, type PartitionState } from './partition-state.ts';
import type { RecoveryNote, TopicStatus } from './recovery-note.ts';
import { quarantineUnknownFolders } from './quarantine.ts';
import { redoPartition, type RedoContext } from './redo.ts';
import { Replay, type HandedOver, type ReplayedPartition } from './replay.ts';
import { adoptLostPartition, extendOverLostTail } from './lost-tail.ts';

/** What recovery hands to the broker. */
export interface Recovered {
  /** True if every shard stopped cleanly: nothing was replayed and the leader epoch need not rise. */
  readonly clean: boolean;
  /** Partitions of known topics, by `topicId/partition`. */
  readonly partitions: ReadonlyMap<string, PartitionState>;
  readonly notes: readonly RecoveryNote[];
  readonly rewrittenBytes: number;
  readonly replayedGroups: number;
}

interface Candidate {
  readonly replayed: ReplayedPartition;
  /** Groups of its shard up to here are durable for sure. */
  readonly syncedThrough: number;
  /** A sync-class shard: referenced bytes were synced with their group. */
  readonly syncClass: boolean;
  /** The last durable group of its shard that is damaged, or −1. */
  readonly lastMissing: number;
}

/**
 * Recovers a data folder. Throws RecoveryError where going on would lose data silently, DiskError where the disk refuses. `owners`: the shard (`<class>-<n>`) to which
 * a partition belongs by its topic's settings, as far as somebody knows, by `topicId/partition`.
 */
export function recover(
  disk: Disk,
  dataFolder: string,
  topicStatus: TopicStatus,
  owners: ReadonlyMap<string, string> = new Map(),
): Recovered {
  const notes: RecoveryNote[] = [];
  const generation = currentGeneration(disk, dataFolder);
  const candidates = new Map<string, Candidate>();
  let clean = true;
  let replayedGroups = 0;
  let groupsLost = false;

  if (generation !== null) {
    const folder = generationFolder(dataFolder, generation);
    const outcomes = replayShards(disk, folder, generationNumber(generation), notes);
    expectEveryShard(
      disk,
      dataFolder,
      generation,
      outcomes.map(({ shard }) => shard),
    );
    for (const { shard, outcome } of outcomes) {
      groupsLost ||= outcome.missing.length > 0;
      clean &&= outcome.clean;
      replayedGroups += outcome.groups;
      const syncClass = isSync(shard);
      for (const [key, replayed] of outcome.replay.partitions) {
        const candidate = { replayed, syncedThrough: outcome.syncedThrough, syncClass, lastMissing: outcome.missing.at(-1) ?? -1 };
        const other = candidates.get(key);
        if (other === undefined || supersedes(candidate, other)) candidates.set(key, candidate);
      }
    }
  }

  const context: RedoContext = {
    disk,
    dataFolder,
    notes,
    journals: new JournalFiles(disk),
    owed: new OwedSyncs(disk),
    rewrittenBytes: 0,
  };
  const partitions = new Map<string, PartitionState>();
  try {
    for (const [key, { replayed, syncedThrough, syncClass, lastMissing }] of candidates) {
      if (topicStatus(replayed.state.topicId) !== 'known') continue;
      // Where a partition that moved out went on, another shard's journal says; a damaged group there may have been the only word of it. So it is where the record of
      // moving out is lost too: the topic's settings change before its partitions move.
      const hasLeft = replayed.movedOut || (!syncClass && isSync(owners.get(key)));
      const mayLackTail = (hasLeft && groupsLost) || (!replayed.movedOut && replayed.lastSequence <= lastMissing);
      const isExtended = mayLackTail && extendOverLostTail(disk, dataFolder, replayed.state, notes);
      // What has left was synced before: a bad batch of it is damage, and no torn tail that is cut together with what was refused behind it.
      redoPartition(context, replayed, isExtended ? Infinity : syncedThrough, syncClass);
      replayed.state.producers = replayed.producers.fold();
      partitions.set(key, replayed.state);
    }
    context.owed.settle();
  } finally {
    context.owed.close();
    context.journals.close();
  }
  if (groupsLost) adoptLostPartitions(disk, dataFolder, topicStatus, partitions, notes);
  try {
    quarantineUnknownFolders(disk, dataFolder, topicStatus, partitions, notes);
  } catch (error) {
    // A full disk must not keep a broker from starting: the folders stay where they are, unread.
    if (!isSpaceError(error)) throw error;
  }
  return { clean, partitions, notes, rewrittenBytes: context.rewrittenBytes, replayedGroups };
}

function isSync(shard: string | undefined): boolean {
  return shard?.startsWith('sync-') === true;
}

/** Refuses a generation of which shards are lost. @param found those that have a checkpoint */
function expectEveryShard(disk: Disk, dataFolder: string, generation: string, found: readonly string[]): void {
  const folder = generationFolder(dataFolder, generation);
  // CURRENT names a generation only after its first checkpoint is durable.
  if (found.length === 0)
    throw new RecoveryError(
      `${dataFolder}/CURRENT names generation ${generation}, and ${folder} holds no shard of it; restore the data folder from a backup`,
    );
  const lost = begunShards(disk, folder).filter((shard) => !found.includes(shard));
  if (lost.length > 0)
    throw new RecoveryError(
      `${lost.map((shard) => `${folder}/${shard}`).join(', ')}: missing or without a checkpoint although the shard had begun; ` +
        'its partitions would start over at offset 0; restore the data folder from a backup',
    );
}

/** A damaged group may have been the birth of a partition: what lies on disk of known topics, and nobody knows of, must not start over at offset 0. */
function adoptLostPartitions(
  disk: Disk,
  dataFolder: string,
  topicStatus: TopicStatus,
  partitions: Map<string, PartitionState>,
  notes: RecoveryNote[],
): void {
  for (const topicId of disk.list(`${dataFolder}/topics`)) {
    if (topicStatus(topicId) !== 'known') continue;
    for (const partition of disk.list(`${dataFolder}/topics/${topicId}`)) {
      const key = partitionKey(topicId, Number(partition));
      if (partitions.has(key)) continue;
      const state = adoptLostPartition(disk, dataFolder, topicId, Number(partition), notes);
      if (state !== null) partitions.set(key, state);
    }
  }
}

/** Replays every shard of a generation. A shard whose record of taking over a partition is damaged is replayed once more, with what the others know of it. */
function replayShards(disk: Disk, folder: string, generation: bigint, notes: RecoveryNote[]): { shard: string; outcome: ShardOutcome }[] {
  const replayed: { shard: string; outcome: ShardOutcome; told: RecoveryNote[] }[] = [];
  for (const shard of disk.list(folder)) {
    if (shard === BEGUN) continue;
    const told: RecoveryNote[] = [];
    const outcome = replayShard(disk, `${folder}/${shard}`, generation, told, new Map());
    if (outcome === null) continue;
    replayed.push({ shard, outcome, told });
  }
  const first = replayed.map(({ outcome }) => outcome.replay);
  for (const [i, each] of replayed.entries()) {
    const { guessed } = each.outcome.replay;
    if (guessed.size > 0) {
      each.told = [];
      const handedOver = knownOf(
        guessed,
        first.filter((_, n) => n !== i),
      );
      each.outcome = replayShard(disk, `${folder}/${each.shard}`, generation, each.told, handedOver) ?? each.outcome;
    }
    notes.push(...each.told);
  }
  return replayed;
}

/** What other shards know of partitions, by key. */
function knownOf(keys: ReadonlySet<string>, others: readonly Replay[]): Map<string, HandedOver[]> {
  const known = new Map<string, HandedOver[]>();
  for (const key of keys)
    for (const { partitions, guessed } of others) {
      const other = partitions.get(key);
      if (other === undefined || guessed.has(key)) continue;
      // The move synced everything that they speak of. To redo it could overwrite what the next shard has written since.
      const state = { ...other.state, producers: other.producers.fold() };
      known.set(key, [...(known.get(key) ?? []), { state, movedOut: other.movedOut }]);
    }
  return known;
}

/** The higher move number wins; of the two records of one move, the one that took over. */
function supersedes(candidate: Candidate, other: Candidate): boolean {
  const difference = candidate.replayed.state.moveNumber - other.replayed.state.moveNumber;
  return difference > 0 || (difference === 0 && other.replayed.movedOut);
}

interface ShardOutcome {
  readonly replay: Replay;
  readonly clean: boolean;
  readonly syncedThrough: number;
  readonly missing: readonly number[];
  readonly groups: number;
}

function replayShard(
  disk: Disk,
  folder: string,
  generation: bigint,
  notes: RecoveryNote[],
  handedOver: ReadonlyMap<string, readonly HandedOver[]>,
): ShardOutcome | null {
  const names = disk.list(folder);
  const { checkpoint, corrupt } = loadCheckpoint(disk, folder);
  for (const name of corrupt) notes.push({ kind: 'corruption', text: `checkpoint ${folder}/${name} is damaged` });
  if (checkpoint === null) {
    // A shard writes its first checkpoint before anything else: without one it never began, unless its name says so (see begun.ts).
    if (corrupt.length === 0 && !names.some((name) => checkpointSequence(name) >= 0 || journalNumber(name) >= 0)) return null;
    throw new RecoveryError(`${folder} has no intact checkpoint; restore the data folder from a backup or from a replica`);
  }
  // A damaged checkpoint still says by its name what it contained, and so was durable.
  const durable = Math.max(checkpoint.sequence, ...corrupt.map(checkpointSequence));
  const clean = checkpoint.clean && corrupt.length === 0;
  const journal = clean ? nothingFollows(checkpoint.sequence) : readJournal(disk, folder, generation, checkpoint.sequence, durable);
  if (corrupt.length > 0 && journal.missing.length > 0)
    throw new RecoveryError(
      `the newest checkpoint of ${folder} is damaged and its journal does not reach back to the one before ` +
        `(${journal.missing.length} groups missing); restore the data folder from a backup or from a replica`,
    );
  for (const sequence of journal.missing)
    notes.push({
      kind: 'corruption',
      text: `journal group ${sequence} of ${folder} was durable and is damaged; what it held is refused, what is behind it kept`,
    });
  if (journal.behindTail.length > 0)
    notes.push({
      kind: 'torn-tail',
      text: `${journal.behindTail.length} journal group(s) of ${folder} lie behind a torn one that was never synced; not part of the log`,
    });
  const replay = new Replay(checkpoint.partitions, handedOver);
  if (journal.missing.length > 0) replay.foresee(journal.groups);
  for (const group of journal.groups) replay.apply(group);
  if (replay.nameless > 0)
    notes.push({
      kind: 'corruption',
      text: `${replay.nameless} batch(es) or changes in the journal of ${folder} are lost: the groups that told their partition are damaged`,
    });
  for (const note of replay.notes) notes.push({ kind: 'corruption', text: `${partitionKey(note.topicId, note.partition)}: ${note.text}` });
  return { replay, clean, syncedThrough: journal.syncedThrough, missing: journal.missing, groups: journal.groups.length };
}
