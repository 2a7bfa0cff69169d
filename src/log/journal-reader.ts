/** Reads a shard's journal files for recovery: which groups follow a checkpoint, and where the sequence breaks. */
import { readFile, type Disk } from './disk.ts';
import { alignGroup, GROUP_ALIGNMENT, readGroup, type JournalEntry } from './journal-layout.ts';
import { journalNumber } from './layout.ts';

/** A group's entries and where its inline bytes lie; the bytes themselves stay on disk. */
export interface FoundGroup {
  readonly sequence: number;
  /** When it was written, ms since the epoch. */
  readonly timestampMs: number;
  readonly entries: readonly JournalEntry[];
  readonly path: string;
  /** Position of the payload in the journal file. */
  readonly payloadAt: number;
}

/** What {@link readJournal} found. */
export interface JournalContents {
  /** Groups above the checkpoint, ascending; missing ones left out. */
  readonly groups: readonly FoundGroup[];
  /** Every group up to this sequence was durable when a later one was written: what is missing or broken up to here is corruption. */
  readonly syncedThrough: number;
  /** Sequences at or below `syncedThrough` that are missing. */
  readonly missing: readonly number[];
  /** Intact groups above a missing one above `syncedThrough`: behind a torn tail, not part of the log. */
  readonly behindTail: readonly FoundGroup[];
}

/**
 * Reads all journal files in `folder`; groups up to `checkpointSequence` are contained in the checkpoint and skipped. `durableSequence`: every group up to
 * this one is known to have been durable, whatever the journal says. Throws DiskError for a file that cannot be read: nobody could say what is missing.
 */
export function readJournal(
  disk: Disk,
  folder: string,
  generation: bigint,
  checkpointSequence: number,
  durableSequence = checkpointSequence,
): JournalContents {
  const found = new Map<number, FoundGroup>();
  let syncedThrough = Math.max(checkpointSequence, durableSequence);
  for (const name of disk.list(folder)) {
    if (journalNumber(name) < 0) continue;
    const path = `${folder}/${name}`;
    // One that is named and not there is no empty one: what it held may have been acknowledged.
    const file = readFile(disk, path);
    for (let at = 0; at < file.length;) {
      const group = readGroup(file, at, generation);
      if (group === null) {
        // Not a group, or a broken one whose length cannot be trusted: later groups still begin at multiples of the alignment.
        at += GROUP_ALIGNMENT;
        continue;
      }
      syncedThrough = Math.max(syncedThrough, group.syncedThrough);
      if (group.sequence > checkpointSequence) {
        const payloadAt = at + group.bytes - group.payloadBytes;
        const { sequence, timestampMs, entries } = group;
        found.set(sequence, { sequence, timestampMs, entries, path, payloadAt });
      }
      at = alignGroup(at + group.bytes);
    }
  }
  const sequences = [...found.keys()].sort((a, b) => a - b);
  const groups: FoundGroup[] = [];
  const behindTail: FoundGroup[] = [];
  const missing: number[] = [];
  let expected = checkpointSequence + 1;
  for (const sequence of sequences) {
    const group = found.get(sequence) as FoundGroup;
    while (expected < sequence && expected <= syncedThrough) missing.push(expected++);
    if (expected < sequence) behindTail.push(group);
    else {
      groups.push(group);
      expected = sequence + 1;
    }
  }
  for (; expected <= syncedThrough; expected++) missing.push(expected);
  return { groups, syncedThrough, missing, behindTail };
}

/** What a journal holds behind the checkpoint of a clean stop. Its files are not read for this: they may be many and large, and a start would wait for it. */
export function nothingFollows(checkpointSequence: number): JournalContents {
  return { groups: [], syncedThrough: checkpointSequence, missing: [], behindTail: [] };
}
