/** A shard in the thread of the test: takes submissions when told to, checks the batch bytes, and answers through a real completion ring. */
import type { FromShard, ToShard } from '../../src/log/messages.ts';
import type { ShardClass } from '../../src/main/early-shards.ts';
import { ShardLink } from '../../src/main/shard-link.ts';
import { batchBytes, checkBatchHeader, lastOffsetDelta } from '../../src/protocol/record-batch.ts';
import { isBatchCrcValid } from '../../src/protocol/crc32c.ts';
import { Completion, COMPLETION_WORDS, CompletionFlag, CompletionKind, setLong } from '../../src/ring/completion.ts';
import type { ControlPort } from '../../src/ring/control.ts';
import { createRing, RingConsumer, RingProducer } from '../../src/ring/ring.ts';
import { Submission, SUBMISSION_WORDS, SubmissionKind } from '../../src/ring/submission.ts';

const ALL = CompletionFlag.answer | CompletionFlag.readable | CompletionFlag.released;

/** Two queues in the place of a MessageChannel. */
class QueueControl implements ControlPort<ToShard, FromShard> {
  readonly toShard: ToShard[] = [];
  readonly toMain: FromShard[] = [];
  post(message: ToShard): void {
    this.toShard.push(message);
  }
  receive(): FromShard {
    return this.toMain.shift() as FromShard;
  }
}

export interface TakenAppend {
  readonly handle: number;
  readonly request: number;
  readonly tag: number;
  readonly position: number;
  readonly length: number;
}

export interface FakeShardOptions {
  readonly index?: number;
  readonly class?: ShardClass;
  readonly submissionSlots?: number;
  readonly completionSlots?: number;
}

export class FakeShard {
  readonly link: ShardLink;
  /** Everything taken, in ring order, if `record` is set. */
  readonly taken: TakenAppend[] = [];
  readonly controls: ToShard[] = [];
  record = false;
  checkBytes = true;
  /** Told of each batch it takes. */
  onBatch: (batch: Buffer) => void = () => undefined;
  /** Error code to answer with; by handle. */
  readonly errors = new Map<number, number>();
  /** Handles whose answers come before they are readable. */
  readonly memory = new Set<number>();
  logAppendTimeMs = -1;
  total = 0;
  /** Next offset by handle. */
  readonly nextOffset: number[] = [];
  private readonly submissions: RingConsumer;
  private readonly completions: RingProducer;
  private readonly control = new QueueControl();
  private readonly slab: Buffer;
  /** Batches answered and not readable yet. */
  private readonly unwritten: { append: TakenAppend; baseOffset: number }[] = [];

  constructor(slab: SharedArrayBuffer, options: FakeShardOptions = {}) {
    const submissions = createRing(options.submissionSlots ?? 8192, SUBMISSION_WORDS);
    const completions = createRing(options.completionSlots ?? 16384, COMPLETION_WORDS);
    this.slab = Buffer.from(slab);
    this.submissions = new RingConsumer(submissions);
    this.completions = new RingProducer(completions);
    this.link = new ShardLink(options.index ?? 0, options.class ?? 'sync', submissions, completions, this.control);
  }

  get waiting(): number {
    return this.submissions.available();
  }

  /** Sends main a control message. */
  tell(message: FromShard): void {
    this.control.toMain.push(message);
    this.completions.words[this.completions.claim()] = CompletionKind.control;
    this.completions.publish();
  }

  /** Takes up to `max` submissions and answers them. Returns how many. */
  step(max = Infinity): number {
    const count = Math.min(max, this.submissions.available());
    for (let n = 0; n < count; n++) this.take(this.submissions.at(n));
    if (count > 0) this.submissions.release(count);
    this.completions.publish();
    return count;
  }

  /** Makes the batches of memory topics readable. */
  write(errorCode = 0): void {
    for (const { append, baseOffset } of this.unwritten.splice(0)) {
      this.checkBatch(append);
      this.complete(append, CompletionFlag.released | (errorCode === 0 ? CompletionFlag.readable : 0), errorCode, baseOffset);
    }
    this.completions.publish();
  }

  private take(at: number): void {
    const { words } = this.submissions;
    if (words[at + Submission.kind] === SubmissionKind.control) {
      this.controls.push(this.control.toShard.shift() as ToShard);
      return;
    }
    const append: TakenAppend = {
      handle: words[at + Submission.handle] as number,
      request: words[at + Submission.request] as number,
      tag: words[at + Submission.tag] as number,
      position: words[at + Submission.position] as number,
      length: words[at + Submission.length] as number,
    };
    if (this.record) this.taken.push(append);
    this.total++;
    if (this.checkBytes) this.checkBatch(append);
    this.onBatch(this.slab.subarray(append.position, append.position + append.length));
    const error = this.errors.get(append.handle) ?? 0;
    if (error !== 0) {
      this.complete(append, CompletionFlag.answer | CompletionFlag.released, error, -1);
      return;
    }
    const baseOffset = this.nextOffset[append.handle] ?? 0;
    this.nextOffset[append.handle] = baseOffset + lastOffsetDelta(this.slab, append.position) + 1;
    if (this.memory.has(append.handle)) {
      this.complete(append, CompletionFlag.answer, 0, baseOffset);
      this.unwritten.push({ append, baseOffset });
    } else this.complete(append, ALL, 0, baseOffset);
  }

  private checkBatch({ position, length }: TakenAppend): void {
    if (checkBatchHeader(this.slab, position, length) !== 0) throw new Error(`bad batch header at ${position}`);
    if (batchBytes(this.slab, position) !== length || !isBatchCrcValid(this.slab, position))
      throw new Error(`bad batch bytes at ${position}`);
  }

  private complete(append: TakenAppend, flags: number, errorCode: number, baseOffset: number): void {
    const at = this.completions.claim();
    const { words } = this.completions;
    words[at + Completion.kind] = CompletionKind.append;
    words[at + Completion.request] = append.request;
    words[at + Completion.tag] = append.tag;
    words[at + Completion.errorCode] = errorCode;
    words[at + Completion.handle] = append.handle;
    words[at + Completion.flags] = flags;
    setLong(words, at + Completion.baseOffset, baseOffset);
    words[at + Completion.lastOffsetDelta] = errorCode === 0 ? lastOffsetDelta(this.slab, append.position) : -1;
    words[at + Completion.position] = 0;
    words[at + Completion.length] = append.length;
    words[at + Completion.leaderEpoch] = 0;
    setLong(words, at + Completion.maxTimestamp, 0);
    setLong(words, at + Completion.logAppendTime, this.logAppendTimeMs);
  }
}
