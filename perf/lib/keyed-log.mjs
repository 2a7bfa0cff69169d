// Makes a partition's log of records with keys, and times what is done with it, in a process of its own:
//   node keyed-log.mjs make FOLDER BYTES     a log in which half of the records are replaced by later ones; prints its state
//   node keyed-log.mjs copy FOLDER BYTES     reads its files and writes them elsewhere, synced in the steps of the cleaner; prints milliseconds
//   node keyed-log.mjs clean FOLDER BYTES    compacts it as the broker's job does; prints milliseconds and what came of it
import { closeSync, fdatasyncSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { cleanLog } from '../../build/jobs/clean-log.js';
import { segmentPath } from '../../build/log/layout.js';
import { NodeDisk } from '../../build/log/node-disk.js';

import { KeyedBatches, RECORDS } from './keyed-batches.mjs';

const TOPIC = 'AAAAAAAAAAAAAAAAAAAAAA';
const SEGMENT_BYTES = 1 << 30;
const STEP_BYTES = 1 << 20;
const SYNC_BYTES = 8 << 20;

/** State of the log: the same for the same number of bytes. */
function segmentsOf(bytes, batchBytes) {
  const perSegment = Math.floor(SEGMENT_BYTES / batchBytes);
  const segments = [];
  for (let left = Math.ceil(bytes / batchBytes), base = 0; left > 0; left -= perSegment) {
    const batches = Math.min(left, perSegment);
    const endOffset = base + batches * RECORDS;
    segments.push({ baseOffset: base, endOffset, endPosition: batches * batchBytes, maxTimestamp: 1_700_000_000_000, capacity: 0 });
    base = endOffset;
  }
  return segments;
}

function make(folder, segments, batches) {
  mkdirSync(segmentPath(folder, TOPIC, 0, 0).replace(/\/[^/]*$/, ''), { recursive: true });
  for (const segment of segments) {
    const fd = openSync(segmentPath(folder, TOPIC, 0, segment.baseOffset), 'w');
    for (let position = 0, offset = segment.baseOffset; position < segment.endPosition; offset += RECORDS) {
      const batch = batches.next(offset);
      position += writeSync(fd, batch, 0, batch.length, position);
    }
    fdatasyncSync(fd);
    closeSync(fd);
  }
}

function copy(folder, segments) {
  const buffer = Buffer.allocUnsafeSlow(STEP_BYTES);
  for (const segment of segments) {
    const from = openSync(segmentPath(folder, TOPIC, 0, segment.baseOffset), 'r');
    const path = `${segmentPath(folder, TOPIC, 0, segment.baseOffset)}.copy`;
    const to = openSync(path, 'w');
    let unsynced = 0;
    for (let read; (read = readSync(from, buffer, 0, STEP_BYTES, null)) > 0;) {
      unsynced += writeSync(to, buffer, 0, read);
      if (unsynced < SYNC_BYTES) continue;
      fdatasyncSync(to);
      unsynced = 0;
    }
    fdatasyncSync(to);
    closeSync(from);
    closeSync(to);
  }
  for (const { baseOffset } of segments) rmSync(`${segmentPath(folder, TOPIC, 0, baseOffset)}.copy`);
}

function clean(folder, segments) {
  const plan = {
    topicId: TOPIC,
    partition: 0,
    segments,
    damaged: [],
    dirtyFrom: 0,
    revision: 1,
    segmentBytes: SEGMENT_BYTES,
    nowMs: Date.now(),
    deleteRetentionMs: 86_400_000,
  };
  const outcome = cleanLog(new NodeDisk(), folder, plan, { keyBytesMax: 128 << 20, onBytes: () => undefined });
  for (const { baseOffset, revision } of outcome.segments) rmSync(segmentPath(folder, TOPIC, 0, baseOffset, revision));
  return { bytes: outcome.segments.reduce((sum, { endPosition }) => sum + endPosition, 0), cleanedEnd: outcome.cleanedEnd };
}

const [what, folder, bytes] = process.argv.slice(2);
const batches = new KeyedBatches(Number(bytes));
const segments = segmentsOf(Number(bytes), batches.batchBytes);
const startedMs = performance.now();
let outcome = {};
if (what === 'make') make(folder, segments, batches);
else if (what === 'copy') copy(folder, segments);
else if (what === 'clean') outcome = clean(folder, segments);
else throw new Error(`${what}: it must be make, copy or clean`);
console.log(JSON.stringify({ milliseconds: performance.now() - startedMs, end: segments.at(-1).endOffset, ...outcome }));
