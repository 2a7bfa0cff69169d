/**
 * Builds and writes one journal group per duty cycle: first the control entries that waited, then an append entry per batch, then the bytes of the
 * batches that go inline, which the group has collected ({@link Group.payload}).
 */
import { assert } from '../lib/assert.ts';
import {
  APPEND_ENTRY_BYTES,
  bindEntry,
  encodeControlEntry,
  EntryType,
  GROUP_HEADER_BYTES,
  sealGroup,
  vouchFor,
  writeAppendEntry,
  type ControlEntry,
} from '../log/journal-layout.ts';
import type { Journal } from '../log/journal.ts';
import type { Group } from './group.ts';
import type { ShardPartition } from './partition.ts';
import type { ShardSettings } from './settings.ts';

/** Control entries wait in memory until the next group; a cycle stops taking control messages once they pass this many bytes. */
export function controlBytesMax(settings: ShardSettings): number {
  return Math.min(512 * 1024, settings.journalFileBytes / 8);
}

/**
 * Where a partition is named again, in bytes of journal behind the first time: up to the first of them with every group that appends to it, then once at each. A
 * damaged stretch of a journal that is shorter leaves a name behind it; without one, nobody would know whose the later appends are.
 */
const NAMED_AGAIN_AT = [64 * 1024, 1 << 20, 16 << 20] as const;

/** See the file header. Sequences count groups from 1. */
export class JournalWriter {
  readonly journal: Journal;
  private readonly generation: bigint;
  private metadata: Buffer;
  private control: Buffer[] = [];
  private controlBytes = 0;
  /** Sequence of the last group written. */
  sequence = 0;
  /** Every group up to this one is durable. */
  syncedThrough = 0;
  /** Of all groups so far. */
  bytesWritten = 0;

  constructor(journal: Journal, generation: bigint, groupBatchesMax: number) {
    this.journal = journal;
    this.generation = generation;
    this.metadata = Buffer.allocUnsafeSlow(GROUP_HEADER_BYTES + groupBatchesMax * APPEND_ENTRY_BYTES + 4096);
  }

  /** Adds an entry about a partition to the next group, behind one that says which partition its handle means. */
  record(partition: ShardPartition, body: ControlEntry): void {
    // An opening says it itself, and who moves a partition out has it said under the number that the partition came with.
    if (body.type !== EntryType.open && body.type !== EntryType.movedOut) this.nameUnlessAppended(partition);
    this.addControl(partition.handle, body);
  }

  /** Says which partition a handle means, unless this journal does so beside an append: the group of its opening may come to harm. */
  nameUnlessAppended(partition: ShardPartition): void {
    if (partition.firstNamedAt === -1) this.bind(partition);
  }

  /** Says which partition a handle means. */
  bind(partition: ShardPartition): void {
    this.addControl(partition.handle, bindEntry(partition.state));
  }

  /** The same beside an append, and when to say it again. */
  nameWithAppend(partition: ShardPartition): void {
    this.bind(partition);
    const { bytesWritten } = this;
    if (partition.firstNamedAt === -1) partition.firstNamedAt = bytesWritten;
    const distance = bytesWritten - partition.firstNamedAt;
    const next = distance < NAMED_AGAIN_AT[0] ? distance : (NAMED_AGAIN_AT.find((each) => each > distance) ?? Infinity);
    partition.nextNameAt = partition.firstNamedAt + next;
  }

  /** Names a partition that the group in work appends to, if it is time. Not in a group that has `bytesMax` of control entries: the next one will do. */
  nameAgain(partition: ShardPartition, bytesMax: number): void {
    if (partition.nextNameAt < this.bytesWritten && this.controlBytes < bytesMax) this.nameWithAppend(partition);
  }

  private addControl(handle: number, body: ControlEntry): void {
    const entry = encodeControlEntry(handle, body);
    this.control.push(entry);
    this.controlBytes += entry.length;
  }

  /** Forgets what waits for the next group: it was written, or nothing will be any more. */
  discardControl(): void {
    this.control = [];
    this.controlBytes = 0;
  }

  /** Bytes of control entries that wait for the next group. */
  get waitingControlBytes(): number {
    return this.controlBytes;
  }

  /**
   * Bytes that a group may need beside the record batches it gathers up to its limit: header, entries, control messages, and the batch and the control
   * message that pass their limits.
   */
  static overhead(settings: ShardSettings): number {
    return GROUP_HEADER_BYTES + settings.groupBatchesMax * APPEND_ENTRY_BYTES + settings.referenceBytesMin + controlBytesMax(settings) * 2;
  }

  /** Writes the group's journal record; returns false when there was nothing to record. Not durable yet. Room was checked before. */
  write(group: Group, partitions: readonly (ShardPartition | undefined)[], slab: Buffer, nowMs: number): boolean {
    let appends = 0;
    for (let i = 0; i < group.count; i++) if (group.errorCode[i] === 0) appends++;
    if (appends === 0 && this.control.length === 0) return false;

    const entriesBytes = this.controlBytes + appends * APPEND_ENTRY_BYTES;
    if (GROUP_HEADER_BYTES + entriesBytes > this.metadata.length) this.metadata = Buffer.allocUnsafeSlow(GROUP_HEADER_BYTES + entriesBytes);
    const metadata = this.metadata;
    let at = GROUP_HEADER_BYTES;
    for (const entry of this.control) at += entry.copy(metadata, at);

    let inlineBytes = 0;
    for (let i = 0; i < group.count; i++) {
      if (group.errorCode[i] !== 0) continue;
      const partition = partitions[group.handle[i] as number] as ShardPartition;
      const segment = partition.activeSegment();
      assert(segment !== undefined, 'journaled batch without a segment');
      const inline = !partition.byReference;
      at = writeAppendEntry(
        metadata,
        at,
        inline,
        partition.handle,
        group.baseOffset[i] as number,
        group.lastOffsetDelta[i] as number,
        segment.baseOffset,
        group.position[i] as number,
        slab,
        group.slabAt[i] as number,
        group.length[i] as number,
        inline ? (group.payloadAt[i] as number) : 0,
        group.maxTimestamp[i] as number,
        group.leaderEpoch[i] as number,
      );
      if (inline) inlineBytes += group.length[i] as number;
    }

    const { payload, payloadBytes } = group;
    assert(inlineBytes === payloadBytes, 'journal: entries speak of other bytes than the payload has');
    const bytes = GROUP_HEADER_BYTES + entriesBytes + payloadBytes;
    const sequence = this.sequence + 1;
    sealGroup(metadata, this.generation, sequence, this.syncedThrough, this.control.length + appends, entriesBytes, payloadBytes, nowMs);
    const room = this.journal.reserve(bytes);
    assert(room, 'journal: a group was taken without room for it');
    payload.unshift(metadata.subarray(0, GROUP_HEADER_BYTES + entriesBytes));
    this.journal.write(sequence, payload, bytes);
    this.sequence = sequence;
    this.bytesWritten += bytes;
    this.discardControl();
    return true;
  }

  /** Writes that every group so far is durable, which they are, at the place of the next one; false when the journal has no room. Not durable yet. */
  vouch(nowMs: number): boolean {
    assert(this.syncedThrough === this.sequence, 'journal: vouched for a group that is not durable');
    return this.journal.writeVouch(vouchFor(this.generation, this.syncedThrough, nowMs));
  }

  /** Every written group is durable now. */
  becomeSynced(): void {
    this.syncedThrough = this.sequence;
  }
}
