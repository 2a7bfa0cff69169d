/**
 * The producers of a partition whose log is cut: those who wrote behind the cut get back what they were before it. Five batches of each are remembered; where
 * the cut took some of them, the ones before are looked for in the log.
 */
import { readBatchHead } from './batch-reader.ts';
import type { Disk } from './disk.ts';
import { segmentPath } from './layout.ts';
import type { LogState, SegmentState } from './partition-state.ts';
import { type ProducerTable, REMEMBERED_BATCHES, sequenceAfter, type RememberedBatch, type RememberedProducer } from './producer-table.ts';

/** Most batch headers read to find them, a second or two of reading. A producer that wrote nothing in so many batches keeps what is left of it. */
const HEADERS_MAX = 1 << 20;
/** One more than is remembered, so that the table knows that there are more. */
const WANTED_BATCHES = REMEMBERED_BATCHES + 1;

type FoundBatch = RememberedBatch & { readonly epoch: number };

/**
 * The table as it is when the log of `state` ends before every batch that reaches to `endOffset` or beyond; `state` is the log after the cut. Does not touch
 * `producers`. Throws DiskError.
 */
export function cutProducers(disk: Disk, dataFolder: string, state: LogState, endOffset: number, producers: ProducerTable): ProducerTable {
  const table = producers.copy();
  const wanted = new Map(table.cut(endOffset).map((producer) => [producer.id, { producer, found: [] as FoundBatch[] }]));
  const missing = new Set(wanted.keys());
  let headersLeft = HEADERS_MAX;
  for (let n = state.segments.length - 1; n >= 0 && missing.size > 0 && headersLeft > 0; n--) {
    const segment = state.segments[n] as SegmentState;
    if (segment.endPosition === 0) continue;
    const inSegment = new Map<number, FoundBatch[]>();
    const fd = disk.open(segmentPath(dataFolder, state.topicId, state.partition, segment.baseOffset, segment.revision), 'read');
    try {
      for (let position = 0; headersLeft > 0; headersLeft--) {
        const head = readBatchHead(disk, fd, position, segment.endPosition);
        if (head === null) break;
        position += head.bytes;
        if (!missing.has(head.producerId)) continue;
        const batches = inSegment.get(head.producerId) ?? [];
        batches.push({
          epoch: head.producerEpoch,
          firstSequence: head.baseSequence,
          lastSequence: sequenceAfter(head.baseSequence, head.lastOffset - head.baseOffset),
          baseOffset: head.baseOffset,
          timestamp: head.maxTimestamp,
        });
        if (batches.length > WANTED_BATCHES) batches.shift();
        inSegment.set(head.producerId, batches);
      }
    } finally {
      disk.close(fd);
    }
    for (const [id, batches] of inSegment) wanted.get(id)?.found.unshift(...batches);
    for (const id of missing) {
      const { producer, found } = wanted.get(id) as { producer: RememberedProducer; found: FoundBatch[] };
      if (found.length >= WANTED_BATCHES || segment.baseOffset <= producer.firstOffset) missing.delete(id);
    }
  }
  for (const { producer, found } of wanted.values()) restoreFrom(table, producer, found);
  return table;
}

/** What is left in memory goes on top of what the log has: the log may have lost it to retention. */
function restoreFrom(table: ProducerTable, producer: RememberedProducer, found: readonly FoundBatch[]): void {
  const inMemory = producer.batches.map((batch) => ({ ...batch, epoch: producer.epoch }));
  const first = inMemory[0]?.baseOffset ?? Infinity;
  const batches = [...found.filter(({ baseOffset }) => baseOffset < first), ...inMemory].slice(-WANTED_BATCHES);
  table.restore(
    { ...producer, batches },
    batches.map(({ epoch }) => epoch),
  );
}
