import { expect, test } from 'vitest';
import { FetchWaiting, type Sleeper } from '../../../src/main/fetch-waiting.ts';
import type { PartitionView } from '../../../src/main/partition-view.ts';
import { Watch } from '../../../src/main/watch.ts';

class Reader implements Sleeper {
  isNamed = false;
  changes = 0;
  turns = 0;
  onChange: () => void = () => {};
  onTurn: () => void = () => {};
  readonly watch = new Watch(this);

  onViewChanged(): void {
    this.changes++;
    this.onChange();
  }

  onWoken(): void {
    this.turns++;
    this.onTurn();
  }
}

const viewOf = (): PartitionView => ({ waiters: null, changed: false }) as unknown as PartitionView;

test('who is named often has one turn a round, and who is named in a turn has one in the same round', () => {
  const waiting = new FetchWaiting();
  const [first, second] = [new Reader(), new Reader()];
  first.onTurn = () => {
    if (first.turns === 1) waiting.wake(first);
    waiting.wake(second);
  };
  for (let n = 0; n < 3; n++) waiting.wake(first);
  waiting.flush();
  expect([first.turns, second.turns, waiting.rounds]).toEqual([2, 1, 1]);
  waiting.flush();
  expect([first.turns, second.turns, waiting.rounds]).toEqual([2, 1, 1]);
});

test('everybody who waits for a view hears of its change once, also when some leave as they are told', () => {
  const waiting = new FetchWaiting();
  const view = viewOf();
  const readers = Array.from({ length: 4 }, () => new Reader());
  for (const reader of readers) reader.watch.begin(view);
  readers[0]!.onChange = () => readers[0]!.watch.end();
  readers[3]!.onChange = () => readers[3]!.watch.end();
  waiting.onViewChanged(view);
  waiting.flush();
  expect(readers.map(({ changes }) => changes)).toEqual([1, 1, 1, 1]);
  expect(view.waiters!.size).toBe(2);
  waiting.onViewChanged(view);
  waiting.flush();
  expect(readers.map(({ changes }) => changes)).toEqual([1, 2, 2, 1]);
});

test('a reader waits for one view at a time, and may stop twice', () => {
  const [one, other] = [viewOf(), viewOf()];
  const { watch } = new Reader();
  watch.begin(one);
  watch.begin(other);
  expect([one.waiters!.size, other.waiters!.size]).toEqual([0, 1]);
  watch.end();
  watch.end();
  expect(other.waiters!.size).toBe(0);
});
