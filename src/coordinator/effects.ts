/** What the machines want done: answers to be given, records to be written. They are collected here, and whoever hosts the machines carries them out. */
import type { CoordinatorRecord } from './group-records.ts';

/** The two clocks that an event comes with. */
export interface Instant {
  /** Milliseconds of a clock that never jumps: deadlines. */
  readonly ms: number;
  /** Milliseconds since 1970: what is stored. */
  readonly date: number;
}

/** A request that is to be answered, once. */
export interface Ticket<R> {
  answer(response: R): void;
}

/** Records to be appended in this order, behind all earlier ones of the partition. */
export interface Write {
  readonly partition: number;
  readonly records: readonly CoordinatorRecord[];
  /**
   * To be called once, when all records are secured and replayed (code 0), or with the error of the first that could not be appended; none of those behind
   * it was replayed then.
   */
  readonly settle: (errorCode: number, now: Instant) => void;
}

/** See the file header. */
export class Effects {
  /** Called when the first of new effects is left. */
  onWork: () => void = () => undefined;
  private answers: (() => void)[] = [];
  private writes: Write[] = [];

  /** `ticket` is to be answered. */
  answer<R>(ticket: Ticket<R>, response: R): void {
    if (this.isEmpty) this.onWork();
    this.answers.push(() => ticket.answer(response));
  }

  write(write: Write): void {
    if (this.isEmpty) this.onWork();
    this.writes.push(write);
  }

  get isEmpty(): boolean {
    return this.answers.length === 0 && this.writes.length === 0;
  }

  /** Gives the answers, in the order in which they were left. */
  giveAnswers(): void {
    while (this.answers.length > 0) {
      const { answers } = this;
      this.answers = [];
      for (const give of answers) give();
    }
  }

  /** The writes left since the last call, in order. */
  takeWrites(): Write[] {
    const { writes } = this;
    if (writes.length > 0) this.writes = [];
    return writes;
  }
}
