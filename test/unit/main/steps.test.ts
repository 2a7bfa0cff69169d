import { describe, expect, it } from 'vitest';
import { Pace, Steps } from '../../../src/main/steps.ts';

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('steps of large requests', () => {
  it('are made one a turn, in the order in which they were added, whoever added them', async () => {
    const steps = new Steps();
    const made: string[] = [];
    const work = (name: string, count: number): void => {
      made.push(name);
      if (count > 1) steps.add(() => work(name, count - 1));
    };
    steps.add(() => work('a', 3));
    steps.add(() => work('b', 1));
    steps.add(() => work('c', 2));
    expect(made).toEqual([]);
    for (let turn = 1; turn <= 6; turn++) {
      await nextTurn();
      expect(made.length).toBe(turn);
    }
    expect(made).toEqual(['a', 'b', 'c', 'a', 'c', 'a']);
    expect(steps.waiting).toBe(0);
    steps.add(() => made.push('later'));
    await nextTurn();
    expect(made.at(-1)).toBe('later');
  });

  it('have their turn however long the line has been', async () => {
    const steps = new Steps();
    const made: number[] = [];
    for (let n = 0; n < 200; n++) steps.add(() => made.push(n));
    for (let turn = 0; turn < 100; turn++) await nextTurn();
    for (let n = 200; n < 300; n++) steps.add(() => made.push(n));
    expect(steps.waiting).toBe(200);
    while (steps.waiting > 0) await nextTurn();
    expect(made).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(steps.made).toBe(300);
  });

  it('of requests that work at their own pace are no more than one a turn together', async () => {
    const steps = new Steps();
    let worked = 0;
    const work = async (): Promise<void> => {
      const pace = new Pace(steps, 10);
      for (let n = 0; n < 100; n++) {
        worked++;
        const pause = pace.spend(1);
        if (pause !== null) await pause;
      }
    };
    const all = Promise.all([work(), work(), work()]);
    // What comes before the first pause needs no step.
    expect(worked).toBe(30);
    for (let turn = 1; turn <= 27; turn++) {
      await nextTurn();
      expect(worked).toBe(30 + turn * 10);
    }
    await all;
  });
});
