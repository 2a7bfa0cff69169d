/** Requests that name many things, in steps: see main/steps.ts. Main only. */
import { PartedResponse, type ArrayFieldOf, type ElementOf } from '../../protocol/parted-response.ts';
import type { Api, ResponseInput } from '../../protocol/schema.ts';
import type { Request } from '../requests.ts';
import { Pace } from '../steps.ts';
import { distinct } from './admin.ts';

/** Cost of one step, in structs encoded: about a third of a millisecond. */
const STEP_COST = 250;
/** What it costs to look at one thing that a request names, compared to encoding a struct. */
const ITEM_COST = 20;
/** Keys compared in one step. */
const KEYS_PER_STEP = 1000;
/** Things of one request that are changed at the same time: enough to share a disk sync. */
const CHANGES_AT_ONCE = 256;
/** Things of one request that are read from the disk at the same time. */
const READS_AT_ONCE = 4;

/** Makes each of the changes; outcomes come in the order of `items`. It goes on when the client is gone: what was asked for is done. */
export function changeEach<T, R>(request: Request, items: readonly T[], change: (item: T) => Promise<R>): Promise<R[]> {
  return each(request, items, CHANGES_AT_ONCE, change, () => false);
}

/** Looks up each of the items; outcomes come in the order of `items`. Null when the client went away: then not all were looked up. */
export async function readEach<T, R>(request: Request, items: readonly T[], read: (item: T) => R | Promise<R>): Promise<R[] | null> {
  const isGone = (): boolean => !request.connection.open;
  const found = await each(request, items, READS_AT_ONCE, read, isGone);
  return isGone() ? null : found;
}

async function each<T, R>(
  request: Request,
  items: readonly T[],
  atOnce: number,
  work: (item: T) => R | Promise<R>,
  isOver: () => boolean,
): Promise<R[]> {
  const pace = new Pace(request.steps, STEP_COST);
  const outcomes: R[] = [];
  outcomes.length = items.length;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && !isOver()) {
      const i = next++;
      outcomes[i] = await work(items[i] as T);
      const pause = pace.spend(ITEM_COST);
      if (pause !== null) await pause;
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker));
  return outcomes;
}

/** The first of those items that have the same key. Many of them begin with a step of their own: to decode them was one. */
export async function distinctEach<T>(request: Request, items: readonly T[], keyOf: (item: T) => string): Promise<T[]> {
  if (items.length <= KEYS_PER_STEP) return distinct(items, keyOf);
  const pace = new Pace(request.steps, KEYS_PER_STEP);
  const seen = new Set<string>();
  const first: T[] = [];
  await pace.spend(KEYS_PER_STEP);
  for (const item of items) {
    const key = keyOf(item);
    if (!seen.has(key)) first.push(item);
    seen.add(key);
    const pause = pace.spend(1);
    if (pause !== null) await pause;
  }
  return first;
}

/**
 * Encodes an element for each of the items into `response`. `elementOf` may leave one out (null); `costOf` says how many structs it holds.
 * False when the client went away: the response is not complete, and nobody wants it.
 */
export async function encodeEach<T, E>(
  request: Request,
  response: { add(elements: readonly E[]): void },
  items: Iterable<T>,
  elementOf: (item: T) => E | null,
  costOf: (element: E) => number,
): Promise<boolean> {
  const pace = new Pace(request.steps, STEP_COST);
  let step: E[] = [];
  for (const item of items) {
    const element = elementOf(item);
    if (element !== null) step.push(element);
    const pause = pace.spend(element === null ? 1 : 1 + costOf(element));
    if (pause === null) continue;
    response.add(step);
    step = [];
    await pause;
    if (!request.connection.open) return false;
  }
  response.add(step);
  return true;
}

/** Answers with what is known already: `elements` in the array `field`, around them `rest`. `costOf` says how many structs an element holds. */
export async function respondEach<A extends Api, K extends ArrayFieldOf<A>>(
  request: Request,
  api: A,
  field: K,
  elements: readonly ElementOf<A, K>[],
  rest: Omit<ResponseInput<A>, K>,
  costOf: (element: ElementOf<A, K>) => number = () => 1,
): Promise<void> {
  const response = new PartedResponse(api, request.apiVersion, field);
  const isWanted = await encodeEach(request, response, elements, (element) => element, costOf);
  request.respond(isWanted ? response.finish(request.correlationId, rest) : []);
}
