/**
 * Main's end of one shard worker: the rings, the control conversation, and the count of what is in flight. Main only.
 *
 * Always: slotsInFlight ≤ 2 × appendsMax ≤ 15/16 of the completion slots, so a shard never finds its completion ring full of answers; and a control message
 * keeps its place among the appends around it, also when it has to wait for room in the submission ring.
 */
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { assert } from '../lib/assert.ts';
import type { FromShard, ToShard } from '../log/messages.ts';
import { COMPLETION_WORDS } from '../ring/completion.ts';
import { PortControl, type ControlPort } from '../ring/control.ts';
import type { EarlyThread } from '../ring/early-thread.ts';
import { createRing, RingConsumer, RingProducer, type RingMemory } from '../ring/ring.ts';
import { offerAppend, Submission, SUBMISSION_WORDS, SubmissionKind } from '../ring/submission.ts';
import { SHARD_ENTRY, threadName, type ShardClass } from './early-shards.ts';

export const SUBMISSION_SLOTS = 8192;
export const COMPLETION_SLOTS = 16384;
/** An append may be answered and become readable in two steps, a slot each. */
const SLOTS_PER_APPEND = 2;
/** Part of the completion slots that appends never take: one of 16. */
const CONTROL_PART = 16;
/** Waking a sleeping shard costs a system call: appends gather up to this many before it is woken within one poll of the sockets. */
const GATHERED_MAX = 16;
/** The same in bytes: with large batches the shard had better check the first while the next is still being received. */
const GATHERED_BYTES_MAX = 64 * 1024;
/** Submission slots that appends never take, so that control messages rarely wait. */
const SUBMISSION_SLOTS_KEPT = 64;

/** What main adds to the `workerData` of a shard; everything else in it is between the composition root and the shard. */
interface LinkWorkerData {
  readonly submissions: RingMemory;
  readonly completions: RingMemory;
  readonly control: MessagePort;
}

export interface ShardStartOptions {
  readonly index: number;
  readonly class: ShardClass;
  /** `workerData` without what main adds: rings and control port. */
  readonly data: object;
  /** The worker died though nobody stopped it: the broker must go down. */
  readonly onDeath: (reason: string, link: ShardLink) => void;
  /** A thread that waits for its data; without it one is started. */
  readonly early?: EarlyThread;
  /** Another worker entry, for tests. */
  readonly entry?: URL;
}

/** Someone whose request waits for room on a shard. */
export interface RingWaiter {
  /** Tries again; true if it needs this line no longer. */
  onRingRoom(link: ShardLink): boolean;
}

/** See the file header. */
export class ShardLink {
  readonly index: number;
  readonly class: ShardClass;
  readonly submissions: RingProducer;
  readonly completions: RingConsumer;
  /** Told of each control message, in ring order with the completions around it. Set by the composition root. */
  onControl: (message: FromShard, link: ShardLink) => void = refuseControl;
  /** Requests that wait for room, in order of arrival. */
  readonly line = new Set<RingWaiter>();
  /** Most appends in flight, and so the most that one request may need of this shard. */
  readonly appendsMax: number;
  /** Scratch of whoever counts what a request needs; 0 between uses. */
  wanted = 0;
  private readonly port: ControlPort<ToShard, FromShard>;
  /** Control messages that wait for a slot; appends wait behind them. */
  private queued: ToShard[] = [];
  private slotsInFlight = 0;
  private unpublished = 0;
  private unpublishedBytes = 0;
  private worker: Worker | null = null;

  constructor(
    index: number,
    shardClass: ShardClass,
    submissions: RingMemory,
    completions: RingMemory,
    port: ControlPort<ToShard, FromShard>,
  ) {
    const forAppends = completions.slots - Math.ceil(completions.slots / CONTROL_PART);
    this.appendsMax = Math.min(Math.floor(forAppends / SLOTS_PER_APPEND), submissions.slots - SUBMISSION_SLOTS_KEPT);
    assert(this.appendsMax > 0, 'rings too small');
    this.index = index;
    this.class = shardClass;
    this.submissions = new RingProducer(submissions);
    this.completions = new RingConsumer(completions);
    this.port = port;
  }

  /** Starts the worker of a shard. Throws what an early thread died of. */
  static start(options: ShardStartOptions): ShardLink {
    const submissions = createRing(SUBMISSION_SLOTS, SUBMISSION_WORDS);
    const completions = createRing(COMPLETION_SLOTS, COMPLETION_WORDS);
    const { port1, port2 } = new MessageChannel();
    const added: LinkWorkerData = { submissions, completions, control: port2 };
    const workerData = { index: options.index, ...options.data, ...added };
    const link = new ShardLink(options.index, options.class, submissions, completions, new PortControl<ToShard, FromShard>(port1));
    const worker =
      options.early?.give(workerData, [port2]) ??
      new Worker(options.entry ?? SHARD_ENTRY, { workerData, transferList: [port2], name: threadName(options.index, options.class) });
    link.watch(worker, options.onDeath);
    return link;
  }

  /** Appends that are submitted and not answered to the end, in completion slots. */
  get inFlight(): number {
    return this.slotsInFlight;
  }

  /** Sends a control message behind everything submitted before it. */
  control(message: ToShard): void {
    this.queued.push(message);
    this.pumpControl();
  }

  /** Whether `count` appends fit both rings now. Who came earlier and still waits goes first: see {@link line}. */
  hasRoom(count: number): boolean {
    const slots = this.slotsInFlight + count * SLOTS_PER_APPEND;
    if (slots > this.appendsMax * SLOTS_PER_APPEND || this.queued.length > 0) return false;
    return this.submissions.free(count + SUBMISSION_SLOTS_KEPT) >= count + SUBMISSION_SLOTS_KEPT;
  }

  /** Submits one record batch, after {@link hasRoom}; {@link publish} makes it visible. */
  append(position: number, length: number, request: number, tag: number, handle: number): void {
    this.unpublished++;
    this.unpublishedBytes += length;
    this.slotsInFlight += SLOTS_PER_APPEND;
    offerAppend(this.submissions, position, length, request, tag, handle, 0);
  }

  /** Makes what was submitted visible to the shard and wakes it. */
  publish(): void {
    if (this.unpublished === 0) return;
    this.unpublished = this.unpublishedBytes = 0;
    this.submissions.publish();
  }

  /** The same, if it is worth a system call by now. */
  maybePublish(): void {
    if (this.unpublished >= GATHERED_MAX || this.unpublishedBytes >= GATHERED_BYTES_MAX) this.publish();
  }

  /** A completion slot came. `last`: no other slot follows for the same append. */
  onSlot(isAnswer: boolean, isLast: boolean): void {
    this.slotsInFlight -= isAnswer && isLast ? SLOTS_PER_APPEND : 1;
    assert(this.slotsInFlight >= 0, 'more completions than appends');
  }

  /** The message of the control slot just met. */
  receiveControl(): void {
    this.onControl(this.port.receive(), this);
  }

  /** Submits what waits and has room now: control messages first, then requests in their order. */
  serve(): void {
    if (this.queued.length > 0) this.pumpControl();
    for (const waiter of this.line) {
      if (!waiter.onRingRoom(this)) return;
      this.line.delete(waiter);
    }
  }

  /** Ends the worker; its end is no death any more. */
  async stop(): Promise<void> {
    const worker = this.worker;
    this.worker = null;
    await worker?.terminate();
    if (this.port instanceof PortControl) this.port.close();
  }

  private pumpControl(): void {
    let sent = 0;
    while (sent < this.queued.length && this.submissions.free(1) >= 1) {
      // Posted before its slot is published: whoever meets the slot finds the message.
      this.port.post(this.queued[sent] as ToShard);
      this.submissions.words[this.submissions.claim() + Submission.kind] = SubmissionKind.control;
      sent++;
    }
    if (sent === 0) return;
    this.queued = this.queued.slice(sent);
    this.unpublished = this.unpublishedBytes = 0;
    this.submissions.publish();
  }

  private watch(worker: Worker, onDeath: (reason: string, link: ShardLink) => void): void {
    this.worker = worker;
    const died = (reason: string): void => {
      if (this.worker !== worker) return;
      this.worker = null;
      onDeath(reason, this);
    };
    worker.on('error', (error) => died(error instanceof Error ? (error.stack ?? error.message) : String(error)));
    worker.on('messageerror', (error) => died(`unreadable message: ${error.message}`));
    worker.on('exit', (code) => died(`exited with code ${code}`));
  }
}

function refuseControl(message: FromShard): void {
  throw new Error(`control message ${message.kind} before anyone listens`);
}
