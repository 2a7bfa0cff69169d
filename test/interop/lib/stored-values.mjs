/** All values of a partition, read with Fetch requests of our own: uncompressed batches, values that are text. */

import { fetchRecords } from './stored-batches.mjs';

const BATCH_HEADER_BYTES = 61;

/** The values of a partition from its beginning to its end, in the order of their offsets; throws where an offset is missing or comes twice. */
export async function storedValues({ port, topic, partition }) {
  const values = [];
  for (;;) {
    const records = await fetchRecords({ port, topic, partition, offset: values.length });
    const before = values.length;
    for (let start = 0; start + BATCH_HEADER_BYTES <= records.length;) {
      const end = start + 12 + records.readInt32BE(start + 8);
      if (end > records.length) break;
      readBatch(records.subarray(start, end), values);
      start = end;
    }
    if (values.length === before) return values;
  }
}

function readBatch(batch, values) {
  if ((batch.readInt16BE(21) & 7) !== 0) throw new Error('the batch is compressed');
  const baseOffset = Number(batch.readBigInt64BE(0));
  let at = BATCH_HEADER_BYTES;
  const varint = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = batch[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if ((byte & 0x80) === 0) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  };
  for (let n = batch.readInt32BE(57); n > 0; n--) {
    const end = varint() + at;
    at += 1;
    varint();
    const offset = baseOffset + varint();
    const keyBytes = varint();
    at += Math.max(0, keyBytes);
    const length = varint();
    // A fetch begins with the batch that the offset lies in.
    if (offset > values.length) throw new Error(`offset ${offset} stands where ${values.length} should`);
    if (offset === values.length) values.push(batch.toString('utf8', at, at + length));
    at = end;
  }
}
