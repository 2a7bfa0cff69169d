import { afterAll, beforeAll, expect, test } from 'vitest';
import { useBroker } from './broker.ts';
import { Orders } from './orders.ts';

const broker = useBroker({ 'auto.create.topics.enable': false });
let orders: Orders;

beforeAll(async () => {
  orders = new Orders(broker.address);
  await orders.prepare();
});
afterAll(() => orders.close());

test('orders of a customer are numbered in the order in which they are placed', async () => {
  expect(await orders.place({ customer: 'ada', article: 'tea' })).toBe(0n);
  expect(await orders.place({ customer: 'ada', article: 'cup' })).toBe(1n);
});

test('orders are counted', async () => {
  const counts = await orders.count();
  expect(counts.reduce((sum, count) => sum + count)).toBe(2);
});
