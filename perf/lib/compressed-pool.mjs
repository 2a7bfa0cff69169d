// Files of compressed record batches for kload --pool-file: 1 KiB records like those of services, 64 KiB of them a batch.
import { writeFileSync } from 'node:fs';
import { compressionsAlgorithms } from '@platformatic/kafka';
import { buildBatch } from '../../build/protocol/record.js';

const RECORD_BYTES = 1024;
const RECORDS_PER_BATCH = 63; // with their framing just under 64 KiB
const BATCHES = 200;
const EVENTS = ['order.created', 'order.paid', 'order.shipped', 'cart.changed', 'user.signed-in'];

export { RECORD_BYTES };

/** The codecs that this Node can compress with: zstd from Node 22.15 on. */
export const codecs = ['gzip', 'snappy', 'lz4', 'zstd'].filter((name) => compressionsAlgorithms[name].available);

/** Numbers that look random and are the same in every run. */
function numbers(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** JSON of exactly RECORD_BYTES: names and times that repeat, ids and prices that do not. */
function recordOf(number, next) {
  const items = [];
  const head = {
    id: number,
    event: EVENTS[next(EVENTS.length)],
    customer: `c-${next(1e6)}`,
    at: `2026-01-01T12:${10 + next(50)}:00.000Z`,
    items,
  };
  while (JSON.stringify(head).length < RECORD_BYTES - 120) {
    items.push({ sku: `sku-${next(1e5)}`, title: `article ${next(500)}`, count: 1 + next(5), price: next(1e5) / 100, currency: 'EUR' });
  }
  return JSON.stringify(head).padEnd(RECORD_BYTES, ' ');
}

/** Writes the file. Gives how many bytes of a batch the codec leaves of each byte. */
export function writeCompressedPool(path, codec) {
  const { compressSync, bitmask } = compressionsAlgorithms[codec];
  const next = numbers(1);
  let plain = 0;
  const batches = Array.from(Array(BATCHES).keys(), (batch) => {
    const records = Array.from({ length: RECORDS_PER_BATCH }, (_, i) => ({ value: recordOf(batch * RECORDS_PER_BATCH + i, next) }));
    const input = { records, attributes: bitmask, baseTimestamp: 1_700_000_000_000 };
    return buildBatch(input, (bytes) => ((plain += bytes.length), compressSync(bytes)));
  });
  const file = Buffer.concat(batches);
  writeFileSync(path, file);
  return file.length / plain;
}
