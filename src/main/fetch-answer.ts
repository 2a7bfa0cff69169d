/**
 * The answer of a fetch, made of what its targets hold: the answer's own bytes and, between them, the records where they lie. Main only.
 *
 *   begin (who is told, which topics) → write, in steps if there are many → finish
 *
 * What a session's client is told is recorded partition by partition, from the same values and in the same moment: what changes between two steps leaves its
 * partition due.
 */
import { assert } from '../lib/assert.ts';
import { ErrorCode } from '../protocol/errors.ts';
import {
  FETCH_RESPONSE_HEAD_BYTES_MAX,
  FetchPartitionResult,
  FetchResponseWriter,
  fetchPartitionBytesMax,
  fetchTailBytesMax,
  fetchTopicBytesMax,
} from '../protocol/fetch-response.ts';
import type { FetchSession, SessionPartition } from './fetch-session.ts';
import { FetchTargets } from './fetch-targets.ts';
import type { FetchWindow } from './fetch-windows.ts';
import type { Request } from './requests.ts';

const NO_TRANSACTIONS: readonly never[] = [];
const READ_COMMITTED = 1;

/** See the file header. The same object makes one answer after the other. */
export class FetchAnswer {
  private readonly writer = new FetchResponseWriter(Buffer.alloc(0));
  private readonly result = new FetchPartitionResult();
  private targets = new FetchTargets<SessionPartition>();
  private session: FetchSession | null = null;
  private isolationLevel = 0;
  private scratch = Buffer.alloc(0);
  /** Targets that are dealt with. */
  private written = 0;
  /** See {@link layOut}. */
  private runLength = new Int32Array(64);
  private runCount = 0;

  /** In the first answer of a session all targets are told, later only those with news. */
  begin(request: Request, targets: FetchTargets<SessionPartition>, isolationLevel: number, session: FetchSession | null): void {
    this.targets = targets;
    this.session = session;
    this.isolationLevel = isolationLevel;
    this.written = 0;
    this.layOut();
    this.scratch = Buffer.allocUnsafe(this.scratchBytes());
    const { apiVersion, correlationId } = request;
    this.writer.begin(this.scratch, 0, apiVersion, correlationId, 0, ErrorCode.NONE, session?.id ?? 0, this.runCount);
  }

  /** Writes what is told of the next `most` targets. Returns whether those were the last. */
  write(most: number): boolean {
    const { targets, writer } = this;
    const end = Math.min(targets.count, this.written + most);
    for (let i = this.written; i < end; i++) {
      const told = this.runLength[i] as number;
      if (told === 0) continue;
      const t = targets.topicOf[i] as number;
      if (told > 0) writer.topic(targets.names[t] as Buffer, targets.namePosition[t] as number, targets.nameLength[t] as number, told);
      this.writePartition(i);
      this.settle(i);
    }
    this.written = end;
    return end === targets.count;
  }

  /** The pieces of the whole frame, once all is written. */
  finish(): Buffer[] {
    const { writer, scratch, targets } = this;
    assert(this.written === targets.count, 'all targets are dealt with');
    writer.end();
    this.session = null;
    this.scratch = NO_BYTES;
    if (writer.gapCount === 0) return [scratch.subarray(0, writer.position)];
    const pieces: Buffer[] = [];
    let from = 0;
    let gap = 0;
    for (let i = 0; i < targets.count; i++) {
      const window = targets.windows[i];
      if (window == null) continue;
      const to = writer.gapPosition[gap++] as number;
      pieces.push(scratch.subarray(from, to), records(window));
      from = to;
    }
    pieces.push(scratch.subarray(from, writer.position));
    return pieces;
  }

  /**
   * Decides which targets are told, and where the topics of the answer begin: `runLength` is 0 for a target that is not told, the number of told partitions
   * of its topic for the first of them, −1 for the others.
   */
  private layOut(): void {
    const { targets, session } = this;
    if (this.runLength.length < targets.count) this.runLength = new Int32Array(targets.capacity);
    const { runLength } = this;
    this.runCount = 0;
    let first = -1;
    for (let i = 0; i < targets.count; i++) {
      const member = targets.members[i] ?? null;
      const quiet =
        session !== null && member !== null && targets.errors[i] === ErrorCode.NONE && targets.windows[i] === null && !member.isChanged;
      runLength[i] = 0;
      if (quiet) {
        this.settle(i);
        continue;
      }
      if (first === -1 || targets.topicOf[first] !== targets.topicOf[i]) {
        first = i;
        this.runCount++;
        runLength[i] = 1;
      } else {
        runLength[first] = (runLength[first] as number) + 1;
        runLength[i] = -1;
      }
    }
  }

  /** What was told is remembered, and what has nothing to tell any more rests. */
  private settle(i: number): void {
    const { session, targets } = this;
    if (session === null || session.closed) return;
    targets.members[i]?.onAnswered(targets.errors[i] as number, targets.windows[i] !== null);
  }

  private writePartition(i: number): void {
    const { targets, result } = this;
    const partition = targets.views[i];
    const error = targets.errors[i] as number;
    result.clear(targets.partitionIndex[i] as number, error);
    if (error === ErrorCode.NONE && partition !== undefined) {
      result.highWatermark = partition.highWatermark;
      // Without transactions nothing is undecided.
      result.lastStableOffset = partition.highWatermark;
      result.logStartOffset = partition.logStartOffset;
      if (this.isolationLevel === READ_COMMITTED) result.abortedTransactions = NO_TRANSACTIONS;
      result.recordsBytes = targets.windows[i]?.validBytes ?? 0;
    }
    this.writer.partition(result);
  }

  private scratchBytes(): number {
    const { targets } = this;
    let bytes = FETCH_RESPONSE_HEAD_BYTES_MAX + fetchTailBytesMax([]);
    for (let i = 0; i < targets.count; i++) {
      const told = this.runLength[i] as number;
      if (told > 0) bytes += fetchTopicBytesMax(targets.nameLength[targets.topicOf[i] as number] as number);
      if (told !== 0) bytes += fetchPartitionBytesMax(0);
    }
    return bytes;
  }
}

const NO_BYTES = Buffer.alloc(0);

/** The answer to a request that is in error as a whole. */
export function fetchErrorAnswer(request: Request, error: number, sessionId: number): Buffer[] {
  const scratch = Buffer.allocUnsafe(FETCH_RESPONSE_HEAD_BYTES_MAX + fetchTailBytesMax([]));
  const writer = new FetchResponseWriter(scratch, 0);
  writer.begin(scratch, 0, request.apiVersion, request.correlationId, 0, error, sessionId, 0);
  return [scratch.subarray(0, writer.end())];
}

function records(window: FetchWindow): Buffer {
  const { region } = window;
  return region.bytes.subarray(region.start, region.start + window.validBytes);
}
