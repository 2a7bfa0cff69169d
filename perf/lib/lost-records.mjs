// What was acknowledged before a kill and is not there after it. Pure.

/**
 * Records that were acknowledged and are not there: behind the end of a partition, or missing within it. What was stored without having been acknowledged
 * cannot make up for them, and the record that the start was timed with, alone in its batch, neither. Without kload, which tells where each partition
 * ended: what is fewer in all.
 */
export function lostRecords(filled, killed, read) {
  if (!read.end_offsets || !killed.acknowledged_base_offsets) return Math.max(0, filled.records + killed.records - (read.records - 1));
  const inBatch = filled.records / filled.batches;
  const behindEnd = read.end_offsets.map((end, partition) => {
    const base = Math.max(filled.acknowledged_base_offsets[partition], killed.acknowledged_base_offsets[partition]);
    return Math.max(0, base + inBatch - end);
  });
  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  return total(behindEnd) + Math.max(0, total(read.end_offsets) - read.records);
}
