/**
 * Produce to topics with `ringlog.record.validation=full`: compressed batches are opened in jobs, and a request is judged again once all of its batches
 * were. Until then it is the unstarted one of its connection, so the order of its batches stays. Main only.
 */
import type { TopicConfig } from '../config/topic-config.ts';
import type { BatchFinding } from '../jobs/job.ts';
import { ErrorCode } from '../protocol/errors.ts';
import type { BatchOpener } from './batch-opener.ts';
import type { PendingProduce } from './produce.ts';

/** Settings of a topic that say how its batches are judged. */
export type ValidationConfig = Pick<
  TopicConfig,
  'recordValidation' | 'messageTimestampType' | 'messageTimestampBeforeMsMax' | 'messageTimestampAfterMsMax'
>;

/**
 * What the client is told. A batch that is too large opened may be split by the producer; a job that failed says nothing about the batch, which may be
 * sent again.
 */
const CODES: Readonly<Record<BatchFinding['kind'], number>> = {
  valid: ErrorCode.NONE,
  malformed: ErrorCode.INVALID_RECORD,
  timestamps: ErrorCode.INVALID_TIMESTAMP,
  unopened: ErrorCode.MESSAGE_TOO_LARGE,
  failed: ErrorCode.REQUEST_TIMED_OUT,
  // Answers to another question.
  found: ErrorCode.UNKNOWN_SERVER_ERROR,
  none: ErrorCode.UNKNOWN_SERVER_ERROR,
};

/** See the file header. */
export class ProduceOpening {
  private readonly opener: BatchOpener;
  private readonly slab: SharedArrayBuffer;

  /** @param bytes the receive slab */
  constructor(opener: BatchOpener, bytes: Buffer) {
    this.opener = opener;
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
  private async judgeAll(pending: PendingProduce, unopened: readonly (readonly [number, ValidationConfig])[]): Promise<Int16Array> {
    const { owner } = pending;
    const verdicts = new Int16Array(pending.view.partitionCount);
    const nowMs = Date.now();
    for (const [slot, config] of unopened) {
      if (owner === null || !owner.open || pending.owner !== owner) break;
      verdicts[slot] = CODES[(await this.validate(pending, slot, config, nowMs)).kind];
    }
    return verdicts;
  }

  private validate({ view }: PendingProduce, slot: number, config: ValidationConfig, nowMs: number): Promise<BatchFinding> {
    const isTimed = config.messageTimestampType === 'CreateTime';
    return this.opener.open({
      kind: 'validate',
      slab: this.slab,
      position: view.recordsPosition[slot] as number,
      length: view.recordsLength[slot] as number,
      timestampMin: isTimed ? nowMs - config.messageTimestampBeforeMsMax : -Infinity,
      timestampMax: isTimed ? nowMs + config.messageTimestampAfterMsMax : Infinity,
    });
  }
}
