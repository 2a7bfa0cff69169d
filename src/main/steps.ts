/**
 * Large requests in small steps. A request may name tens of thousands of things, and nobody but its sender shall wait for them: what is large is worked on in steps
 * of about equal cost, and main makes one step a turn, whoever asked, however many such requests there are. In between, sockets and shards get theirs. Main only.
 *
 *   main's turns   sockets, shards, step of A │ sockets, shards, step of B │ sockets, shards, step of A │ …
 *
 * Steps are counted in work, never timed, so that what happens does not depend on the machine. Small requests need no step.
 */

/** Entries of the line that had their turn are dropped from so many on. */
const COMPACTED_FROM = 64;

/** The line in which steps wait for their turn, shared by all requests. */
export class Steps {
  /** Steps made so far. */
  made = 0;
  private line: (() => void)[] = [];
  /** The first of `line` that waits; those before it have had their turn. */
  private first = 0;
  private readonly onTurn = (): void => this.turn();

  /** Steps that wait. */
  get waiting(): number {
    return this.line.length - this.first;
  }

  /** `step` is made in a later turn, behind those that were added before it. One whose request is gone has to see that for itself. */
  add(step: () => void): void {
    // At most one of each request, so the line is no longer than there are connections.
    this.line.push(step);
    if (this.waiting === 1) setImmediate(this.onTurn);
  }

  private turn(): void {
    const step = this.line[this.first++] as () => void;
    if (this.first === this.line.length) {
      this.line = [];
      this.first = 0;
    } else {
      if (this.first >= COMPACTED_FROM && this.first * 2 >= this.line.length) {
        this.line = this.line.slice(this.first);
        this.first = 0;
      }
      setImmediate(this.onTurn);
    }
    this.made++;
    step();
  }
}

/** The work of one request, cut into steps. */
export class Pace {
  private readonly steps: Steps;
  private readonly costMax: number;
  private spent = 0;
  private pause: Promise<void> | null = null;

  /** @param costMax cost of one step, in the unit of `spend` */
  constructor(steps: Steps, costMax: number) {
    this.steps = steps;
    this.costMax = costMax;
  }

  /** Counts `cost`. The promise, if there is one, is to be awaited by all who work at this pace. */
  spend(cost: number): Promise<void> | null {
    this.spent += cost;
    if (this.spent < this.costMax) return this.pause;
    this.spent = 0;
    this.pause ??= new Promise((resolve) => {
      this.steps.add(() => {
        this.pause = null;
        resolve();
      });
    });
    return this.pause;
  }
}
