/** The second half of recovery: makes the bytes of one partition be what its replayed state says, or says where they are not. */
import { isIntactBatch, readIntactBatch } from './batch-reader.ts';
import { DiskError, isSpaceError, type Disk } from './disk.ts';
import type { JournalFiles } from './journal-files.ts';
import { partitionFolder, segmentPath } from './layout.ts';
import type { OwedSyncs } from './owed-syncs.ts';
import { partitionKey, type PartitionState, type SegmentState } from './partition-state.ts';
import { baseOffset, CRC_POSITION, lastOffsetDelta } from '../protocol/record-batch.ts';
import { keepTail } from './quarantine.ts';
import type { RecoveryNote } from './recovery-note.ts';
import { cutTornTail, type ReplayedAppend, type ReplayedPartition } from './replay.ts';

/** What the redo of all partitions shares. */
export interface RedoContext {
  readonly disk: Disk;
  readonly dataFolder: string;
  readonly notes: RecoveryNote[];
  readonly journals: JournalFiles;
  /** What was written is handed over to it, and may be served once that has settled. */
  readonly owed: OwedSyncs;
  rewrittenBytes: number;
}

/** Most bytes of a torn tail that are copied to quarantine. */
const QUARANTINE_BYTES_MAX = 64 << 20;

interface RedoneFile {
  readonly fd: number;
  readonly path: string;
  written: boolean;
}

/** Segments opened while one partition is redone. */
class SegmentFiles {
  private readonly context: RedoContext;
  private readonly state: PartitionState;
  private readonly open = new Map<number, RedoneFile>();

  constructor(context: RedoContext, state: PartitionState) {
    this.context = context;
    this.state = state;
  }

  segment(base: number): RedoneFile {
    let file = this.open.get(base);
    if (file === undefined) {
      const { disk, dataFolder, owed } = this.context;
      const { topicId, partition } = this.state;
      if (this.open.size === 0) {
        // The whole chain: a process that was killed may have left folders that exist in the cache only.
        const folder = partitionFolder(dataFolder, topicId, partition);
        disk.mkdir(folder);
        for (const each of [dataFolder, `${dataFolder}/topics`, `${dataFolder}/topics/${topicId}`, folder]) owed.addFolder(each);
      }
      const path = segmentPath(dataFolder, topicId, partition, base);
      file = { fd: disk.open(path, 'write'), path, written: false };
      this.open.set(base, file);
    }
    return file;
  }

  /** Hands over what was written and has to be synced, closes the rest. */
  finish(): void {
    for (const [base, { fd, path, written }] of this.open) {
      this.open.delete(base);
      if (written) this.context.owed.addFile(fd, path);
      else this.context.disk.close(fd);
    }
  }

  /** Closes what was not handed over. */
  close(): void {
    for (const { fd } of this.open.values()) this.context.disk.close(fd);
    this.open.clear();
  }
}

/**
 * Redoes inline appends, verifies and rewrites referenced ones. A bad batch at or below `syncedThrough` is corruption: its offsets are refused, what
 * is behind it stays. Above it is a torn tail: copied to quarantine, cut. What was written is owed a sync (`context.owed`) when it returns.
 */
export function redoPartition(context: RedoContext, replayed: ReplayedPartition, syncedThrough: number, syncClass: boolean): void {
  const { state } = replayed;
  const files = new SegmentFiles(context, state);
  const key = partitionKey(state.topicId, state.partition);
  try {
    for (const append of replayed.appends) {
      const { entry } = append;
      const file = files.segment(entry.segmentBase);
      let batch = entry.inline ? readJournaled(context, append) : null;
      const vouchedFor = append.sequence <= syncedThrough;
      let rewrite = batch !== null || !(syncClass && vouchedFor);
      if (batch === null) {
        batch = matching(readIntactBatch(context.disk, file.fd, entry.position, entry.batchBytes), append);
        if (entry.inline) rewrite = true;
      }
      if (batch === null) {
        const end = entry.baseOffset + entry.lastOffsetDelta + 1;
        if (vouchedFor) {
          refuse(state, entry.baseOffset, end);
          context.notes.push({
            kind: 'corruption',
            text: `${key}: offsets ${entry.baseOffset} to ${end - 1} were durable and are damaged; reads of them are refused`,
          });
          continue;
        }
        quarantineTail(context, replayed, append, file.fd);
        context.notes.push({
          kind: 'torn-tail',
          text: `${key}: cut at offset ${entry.baseOffset}; what was behind it was never synced and is incomplete (copied to quarantine)`,
        });
        cutTornTail(replayed, entry.baseOffset, entry.position);
        break;
      }
      if (!rewrite) continue;
      context.disk.write(file.fd, [batch], entry.position);
      file.written = true;
      context.rewrittenBytes += batch.length;
    }
    files.finish();
  } finally {
    files.close();
  }
  state.damaged.sort((a, b) => a.from - b.from);
  noteMissingFiles(context, replayed, key);
}

function readJournaled({ disk, journals }: RedoContext, append: ReplayedAppend): Buffer | null {
  const { entry } = append;
  const batch = Buffer.allocUnsafeSlow(entry.batchBytes);
  if (disk.read(journals.descriptor(append.journalPath), batch, 0, entry.batchBytes, append.payloadAt) < entry.batchBytes) return null;
  return isIntactBatch(batch, entry.batchBytes) ? matching(batch, append) : null;
}

/** The batch, if it is the one the journal entry speaks of. */
function matching(batch: Buffer | null, append: ReplayedAppend): Buffer | null {
  if (batch === null) return null;
  const { entry } = append;
  const same =
    batch.readUInt32BE(CRC_POSITION) === entry.batchCrc &&
    baseOffset(batch, 0) === entry.baseOffset &&
    lastOffsetDelta(batch, 0) === entry.lastOffsetDelta;
  return same ? batch : null;
}

function quarantineTail(context: RedoContext, replayed: ReplayedPartition, from: ReplayedAppend, fd: number): void {
  const { disk, dataFolder } = context;
  const { state } = replayed;
  const segment = state.segments.find((candidate) => candidate.baseOffset === from.entry.segmentBase) as SegmentState;
  const bytes = Buffer.alloc(Math.min(segment.endPosition - from.entry.position, QUARANTINE_BYTES_MAX));
  const read = disk.read(fd, bytes, 0, bytes.length, from.entry.position);
  try {
    keepTail(disk, dataFolder, `${state.topicId}-${state.partition}-${from.entry.baseOffset}`, bytes.subarray(0, read));
  } catch (error) {
    // The copy is a courtesy to whoever investigates; without room for it recovery goes on.
    if (!isSpaceError(error)) throw error;
  }
}

/** A log with records but without their file does not start empty: the range is refused, the offsets stay taken. */
function noteMissingFiles(context: RedoContext, replayed: ReplayedPartition, key: string): void {
  const { state } = replayed;
  for (const segment of state.segments) {
    if (segment.endOffset === segment.baseOffset) continue;
    const path = segmentPath(context.dataFolder, state.topicId, state.partition, segment.baseOffset, segment.revision);
    const present = fileSize(context.disk, path);
    if (present >= segment.endPosition) continue;
    const what = present < 0 ? 'is missing' : `has ${present} bytes, its log ${segment.endPosition}`;
    context.notes.push({ kind: 'missing-file', text: `${key}: ${path} ${what}; reads of what is not there are refused` });
    if (present < 0) refuse(state, segment.baseOffset, segment.endOffset);
  }
}

/** Refuses offsets [from, to). Every start may find the same damage again, and that of a whole segment behind that of its batches. */
function refuse(state: PartitionState, from: number, to: number): void {
  if (state.damaged.some((range) => range.from <= from && to <= range.to)) return;
  state.damaged = state.damaged.filter((range) => range.from < from || range.to > to);
  state.damaged.push({ from, to });
  state.damaged.sort((a, b) => a.from - b.from);
}

function fileSize(disk: Disk, path: string): number {
  try {
    const fd = disk.open(path, 'read');
    try {
      return disk.size(fd);
    } finally {
      disk.close(fd);
    }
  } catch (error) {
    if (error instanceof DiskError && error.code === 'ENOENT') return -1;
    throw error;
  }
}
