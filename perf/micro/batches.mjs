// Record batches: the CRC, the check and the stamp of a produced batch, the walk over what a fetch has read, and the records in a batch.
import { do_not_optimize } from 'mitata';
import { BatchWalk } from '../../build/main/batch-walk.js';
import { crc32cAt } from '../../build/protocol/crc32c.js';
import { checkBatchHeader, stampBatch } from '../../build/protocol/record-batch.js';
import { buildBatch, readRecords } from '../../build/protocol/record.js';
import { placed } from './memory.mjs';

const CRC_BYTES = [64, 1024, 16_384, 65_536, 1 << 20];
const RECORDS = 100;
const BATCHES = 1000;

const sizeOf = (bytes) => (bytes >= 1 << 20 ? `${bytes >> 20} MiB` : bytes >= 1024 ? `${bytes >> 10} KiB` : `${bytes} B`);

export const crcCases = () =>
  CRC_BYTES.map((bytes) => {
    const { buffer, start } = placed(Buffer.alloc(bytes, 7));
    return { name: `CRC-32C of ${sizeOf(bytes)}, shared memory`, bytes, run: () => do_not_optimize(crc32cAt(buffer, start, bytes)) };
  });

function walkCase(verify) {
  const one = buildBatch({ records: [{ value: Buffer.alloc(1024, 1) }], baseTimestamp: Date.now() });
  const { buffer, start } = placed(Buffer.concat(Array.from({ length: BATCHES }, () => one)));
  for (let offset = 0; offset < BATCHES; offset++) stampBatch(buffer, start + offset * one.length, offset, 0);
  const segment = { endPosition: BATCHES * one.length, endOffset: BATCHES };
  const walk = new BatchWalk();
  return {
    name: `walk over batches of 1 KiB, ${verify ? 'with' : 'without'} CRC`,
    per: BATCHES,
    run() {
      walk.run(buffer, start, segment.endPosition, 0, 0, BATCHES, segment, verify);
      if (walk.nextOffset !== BATCHES) throw new Error(`the walk ended at offset ${walk.nextOffset} of ${BATCHES}`);
    },
  };
}

export function batchCases() {
  const batch = buildBatch({ records: [{ value: Buffer.alloc(1024, 1) }], baseTimestamp: Date.now() });
  const { buffer, start } = placed(batch);
  const produced = placed(batch);
  const many = buildBatch({ records: Array.from({ length: RECORDS }, () => ({ value: Buffer.alloc(100, 1) })), baseTimestamp: Date.now() });
  return [
    { name: 'batch: check header', run: () => do_not_optimize(checkBatchHeader(produced.buffer, produced.start, batch.length)) },
    {
      name: 'batch: stamp offset and epoch',
      run() {
        stampBatch(buffer, start, 99, 1);
        do_not_optimize(buffer);
      },
    },
    walkCase(false),
    walkCase(true),
    {
      name: 'records of 100 B: iterate, as tools do',
      per: RECORDS,
      run() {
        let bytes = 0;
        for (const record of readRecords(many)) bytes += record.value.length;
        do_not_optimize(bytes);
      },
    },
  ];
}
