import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LinkedList, type Linked } from '../../../src/lib/linked-list.ts';

class Item implements Linked<Item> {
  next: Item | null = null;
  previous: Item | null = null;
  readonly name: number;

  constructor(name: number) {
    this.name = name;
  }
}

test('appending, removing and moving agree with an array', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ item: fc.nat(7), move: fc.boolean() })), (steps) => {
      const items = Array.from({ length: 8 }, (_, name) => new Item(name));
      const list = new LinkedList<Item>();
      let model: Item[] = [];
      for (const { item: name, move } of steps) {
        const item = items[name]!;
        if (!model.includes(item)) {
          list.append(item);
          model.push(item);
        } else if (move) {
          list.moveToEnd(item);
          model = [...model.filter((other) => other !== item), item];
        } else {
          list.remove(item);
          model = model.filter((other) => other !== item);
        }
        const seen: number[] = [];
        for (let each = list.first; each !== null; each = each.next) {
          seen.push(each.name);
          expect(each.next?.previous ?? each).toBe(each);
        }
        expect(seen).toEqual(model.map(({ name: each }) => each));
        expect(list.size).toBe(model.length);
      }
    }),
  );
});

test('an item is not put into a list twice', () => {
  const list = new LinkedList<Item>();
  const [a, b] = [new Item(1), new Item(2)];
  list.append(a);
  expect(() => list.append(a)).toThrow(/one list/);
  list.append(b);
  expect(() => list.append(b)).toThrow(/one list/);
});
