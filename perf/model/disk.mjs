// What reaches the disk of a byte that was accepted. Nothing is fitted: it follows from the layout (docs/STORAGE.md).
import { compareWith } from './formula.mjs';

const BLOCK_BYTES = 4096;
const GROUP_HEADER_BYTES = 64;
const ENTRY_BYTES = 72;

const blocksOf = (bytes) => Math.ceil(bytes / BLOCK_BYTES) * BLOCK_BYTES;

/**
 * Bytes that a group brings to the disk. A batch of a partition with little in the group goes to the journal and, by a checkpoint, to its segment. Where two large
 * batches of a partition meet in a group it is written once, and the sync of its segment takes a block that is not full and the one of the file's size.
 */
export function groupBytes({ batchesOfGroup, bytesOfGroup, isReferenced, partitions }) {
  const entries = GROUP_HEADER_BYTES + ENTRY_BYTES * batchesOfGroup;
  if (!isReferenced) return bytesOfGroup + blocksOf(entries + bytesOfGroup);
  return bytesOfGroup + blocksOf(entries) + 2 * BLOCK_BYTES * Math.min(partitions, batchesOfGroup);
}

/** @param {any[]} runs of load-runs.mjs */
export function diskFormula(runs) {
  return compareWith(
    {
      axis: 'load',
      what: 'bytes on the disk per byte accepted',
      unit: 'bytes',
      text:
        '(segment + journal) ÷ bytes of the group as it was seen; journal: 64 + 72 × batches + bytes, up to a whole 4 KiB; ' +
        'large batches: not their bytes, but 8 KiB for each partition in the group',
      constants: {},
      predict: (run) => groupBytes(run) / run.bytesOfGroup,
    },
    {},
    runs.map((run) => ({ ...run, measured: run.diskBytesPerByte })),
  );
}
