/**
 * Checkpoints: the state of every partition of a shard as of one journal sequence.
 *
 *   file = the same copy twice, so that one flipped bit or lost block does not cost the truth
 *   copy = 0 u32 magic 'RLC1' · 4 u32 CRC32C of bytes 8 … end · 8 u64 generation · 16 f64 sequence · 24 u32 clean (1: the shard stopped cleanly,
 *          nothing follows) · 28 u32 body bytes · 32 body (MessagePack) · zeros up to a multiple of 4096
 */
import { pack } from 'msgpackr/pack';
import { unpack } from 'msgpackr/unpack';
import { crc32cAt } from '../protocol/crc32c.ts';
import { readFileIfPresent, type Disk } from './disk.ts';
import { checkpointSequence } from './layout.ts';
import type { PartitionState } from './partition-state.ts';

const MAGIC = 0x31434c52;
const HEADER_BYTES = 32;
const COPY_ALIGNMENT = 4096;

/** A partition within a checkpoint. `handle` is what journal entries of this generation call it; −1 until an entry binds one. */
export interface CheckpointPartition {
  readonly handle: number;
  readonly state: PartitionState;
  /** It left this shard in this generation. Kept, because the shard that took it over may not have secured that yet. */
  readonly movedOut: boolean;
}

export interface Checkpoint {
  readonly generation: bigint;
  /** Every journal group up to this sequence is contained. */
  readonly sequence: number;
  readonly clean: boolean;
  readonly partitions: readonly CheckpointPartition[];
}

/** The bytes of a checkpoint file. */
export function encodeCheckpoint(checkpoint: Checkpoint): Buffer {
  const body = pack(checkpoint.partitions);
  const bytes = HEADER_BYTES + body.length;
  const copyBytes = Math.ceil(bytes / COPY_ALIGNMENT) * COPY_ALIGNMENT;
  const out = Buffer.alloc(2 * copyBytes);
  out.writeUInt32LE(MAGIC, 0);
  out.writeBigUInt64LE(checkpoint.generation, 8);
  out.writeDoubleLE(checkpoint.sequence, 16);
  out.writeUInt32LE(checkpoint.clean ? 1 : 0, 24);
  out.writeUInt32LE(body.length, 28);
  body.copy(out, HEADER_BYTES);
  out.writeUInt32LE(crc32cAt(out, 8, bytes - 8), 4);
  out.copy(out, copyBytes, 0, bytes);
  return out;
}

/** Reads a checkpoint file's bytes; null when neither copy is intact. The first one says itself how long it is: a file that was cut behind it is as good. */
export function decodeCheckpoint(bytes: Buffer): Checkpoint | null {
  return decodeCopy(bytes) ?? decodeCopy(bytes.subarray(bytes.length / 2));
}

function decodeCopy(bytes: Buffer): Checkpoint | null {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) return null;
  const end = HEADER_BYTES + bytes.readUInt32LE(28);
  if (end > bytes.length || crc32cAt(bytes, 8, end - 8) !== bytes.readUInt32LE(4)) return null;
  const partitions = readBody(bytes.subarray(HEADER_BYTES, end));
  if (partitions === null) return null;
  return { generation: bytes.readBigUInt64LE(8), sequence: bytes.readDoubleLE(16), clean: bytes.readUInt32LE(24) === 1, partitions };
}

/** The partitions, or null where the bytes are none in spite of their checksum: then there is the other copy, and recovery's answer to a checkpoint that is corrupt. */
function readBody(bytes: Buffer): CheckpointPartition[] | null {
  try {
    const body: unknown = unpack(bytes);
    return Array.isArray(body) ? (body as CheckpointPartition[]) : null;
  } catch {
    return null;
  }
}

/** What {@link loadCheckpoint} found in a shard's folder. */
export interface LoadedCheckpoint {
  readonly checkpoint: Checkpoint | null;
  /** Names of newer checkpoint files that are not intact. Falling back past one is sound only if the journal still reaches back that far. */
  readonly corrupt: readonly string[];
}

/** Loads the newest intact checkpoint of a shard folder. */
export function loadCheckpoint(disk: Disk, folder: string): LoadedCheckpoint {
  const names = disk
    .list(folder)
    .filter((name) => checkpointSequence(name) >= 0)
    .reverse();
  const corrupt: string[] = [];
  for (const name of names) {
    const checkpoint = decodeCheckpoint(readFileIfPresent(disk, `${folder}/${name}`) ?? Buffer.alloc(0));
    if (checkpoint !== null) return { checkpoint, corrupt };
    corrupt.push(name);
  }
  return { checkpoint: null, corrupt };
}
