/** What is started when it is first asked for, and closed at the end. Main only. */

/**
 * A thing that takes time to start, and may fail to, for want of descriptors, say: who waited for that start hears of it, and who asks next has it
 * started again. Its owner asks no more after {@link close}.
 */
export class LateStart<Thing extends { close(): Promise<void> }> {
  private readonly start: () => Promise<Thing>;
  private thing: Promise<Thing> | null = null;

  /** @param start starts one; rejects if it cannot */
  constructor(start: () => Promise<Thing>) {
    this.start = start;
  }

  /** The one that is started, or a start of one. Rejects with what kept it from starting. */
  get(): Promise<Thing> {
    return (this.thing ??= this.begin());
  }

  private begin(): Promise<Thing> {
    const thing = this.start();
    thing.catch(() => {
      if (this.thing === thing) this.thing = null;
    });
    return thing;
  }

  /** It is of no use any more: who asks next has another started. */
  forget(): void {
    this.thing = null;
  }

  /** Closes it, if it was ever started. */
  async close(): Promise<void> {
    const thing = await this.thing?.catch(() => null); // one that could not be started has nothing to close
    await thing?.close();
  }
}
