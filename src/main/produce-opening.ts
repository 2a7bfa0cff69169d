/**
 * Produce to topics with `ringlog.record.validation=full`: compressed batches are opened in jobs, and a request is judged again once all of its batches
 * were. Until then it is the unstarted one of its connection, so the order of its batches stays. Main only.
 */
import type { TopicConfig } from '../config/topic-config.ts';
import type { BatchFinding } from '../jobs/job.ts';
import { ErrorCode } from '../protocol/errors.ts';
import { writeMaxTimestamp } from '../protocol/record-batch.ts';
import type { BatchOpener } from './batch-opener.ts';
import type { PendingProduce, Verdict } from './produce.ts';
import { malformedRecord, RECORDS_NAMED_MAX, REQUEST_RECORDS_NAMED_MAX, untimelyRecords } from './record-errors.ts';

/** Settings of a topic that say how its batches are judged. */
export type ValidationConfig = Pick<
  TopicConfig,
  'recordValidation' | 'cleanupCompact' | 'messageTimestampType' | 'messageTimestampBeforeMsMax' | 'messageTimestampAfterMsMax'
>;

/** See the file header. */
export class ProduceOpening {
  private readonly opener: BatchOpener;
  private readonly bytes: Buffer;
  private readonly slab: SharedArrayBuffer;

  /** @param bytes the receive slab */
  constructor(opener: BatchOpener, bytes: Buffer) {
    this.opener = opener;
    this.bytes = bytes;
    this.slab = bytes.buffer as unknown as SharedArrayBuffer;
  }

  /** Has the batches in those slots of `pending` opened, each by the settings of its topic; wakes the owner when the verdicts are there. */
  open(pending: PendingProduce, unopened: ReadonlyMap<number, ValidationConfig>): void {
    const { owner } = pending;
    pending.waiting = true;
    pending.waitsFor = null;
    void this.judgeAll(pending, [...unopened]).then((verdicts) => {
      // The slot may serve another request by now, if the connection has closed meanwhile.
      if (owner === null || !owner.open || pending.owner !== owner) return;
      pending.verdicts = verdicts;
      pending.waiting = false;
      owner.wake();
    });
  }

  /** One batch of a request after the other: what waits for the thread is one job for each connection, however many partitions a request has. */
  private async judgeAll(
    pending: PendingProduce,
    unopened: readonly (readonly [number, ValidationConfig])[],
  ): Promise<ReadonlyMap<number, Verdict>> {
    const { owner } = pending;
    const verdicts = new Map<number, Verdict>();
    const nowMs = Date.now();
    let namedMax = REQUEST_RECORDS_NAMED_MAX;
    for (const [slot, config] of unopened) {
      const isTimed = config.messageTimestampType === 'CreateTime';
      const min = isTimed ? nowMs - config.messageTimestampBeforeMsMax : -Infinity;
      const max = isTimed ? nowMs + config.messageTimestampAfterMsMax : Infinity;
      const position = pending.view.recordsPosition[slot] as number;
      const length = pending.view.recordsLength[slot] as number;
      const finding = await this.opener.open({
        kind: 'validate',
        slab: this.slab,
        position,
        length,
        timestampMin: min,
        timestampMax: max,
        isTimed,
        keyed: config.cleanupCompact,
        namedMax: Math.min(RECORDS_NAMED_MAX, namedMax),
      });
      // The bytes may be another request's by now.
      if (owner === null || !owner.open || pending.owner !== owner) break;
      if (finding.kind === 'valid' && finding.mended !== null)
        writeMaxTimestamp(this.bytes, position, finding.mended.maxTimestamp, finding.mended.crc);
      if (finding.kind === 'timestamps') namedMax -= finding.records.length;
      const verdict = verdictOf(finding, min, max);
      if (verdict !== null) verdicts.set(slot, verdict);
    }
    return verdicts;
  }
}

/** Null for a batch that is right. One that is too large opened may be split by the producer; a job that failed says nothing about the batch, which may be sent again. */
function verdictOf(finding: BatchFinding, min: number, max: number): Verdict | null {
  switch (finding.kind) {
    case 'valid':
      return null;
    case 'malformed':
      return { errorCode: ErrorCode.INVALID_RECORD, recordErrors: finding.record >= 0 ? [malformedRecord(finding.record)] : [] };
    case 'timestamps':
      return { errorCode: ErrorCode.INVALID_TIMESTAMP, recordErrors: untimelyRecords(finding.records, min, max) };
    case 'unopened':
      return { errorCode: ErrorCode.MESSAGE_TOO_LARGE, recordErrors: [] };
    case 'failed':
      return { errorCode: ErrorCode.REQUEST_TIMED_OUT, recordErrors: [] };
    case 'found':
    case 'none':
      // Answers to another question.
      return { errorCode: ErrorCode.UNKNOWN_SERVER_ERROR, recordErrors: [] };
  }
}
