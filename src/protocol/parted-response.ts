/**
 * A response whose one large array is encoded part by part: its elements never exist all at once, and whoever makes them may do something else between
 * two parts.
 *
 *     around   | size header fields… count | fields… |
 *                                          ↑ part 0, part 1, …
 */
import { encodingPlan } from './codec.ts';
import { ArrayGap, encodeElements } from './encode.ts';
import { encodeFrame } from './frame.ts';
import type { Api, ResponseInput } from './schema.ts';

/** Names of the fields of a response that are arrays. */
export type ArrayFieldOf<A extends Api> = {
  [K in keyof ResponseInput<A>]-?: NonNullable<ResponseInput<A>[K]> extends readonly unknown[] ? K & string : never;
}[keyof ResponseInput<A>];

/** What the array `K` of a response holds. */
export type ElementOf<A extends Api, K extends ArrayFieldOf<A>> = NonNullable<ResponseInput<A>[K]> extends readonly (infer E)[] ? E : never;

/** See the file header. */
export class PartedResponse<A extends Api, K extends ArrayFieldOf<A>> {
  /** Bytes of the elements so far. */
  bytes = 0;
  private readonly api: A;
  private readonly version: number;
  private readonly field: K;
  private readonly parts: Buffer[] = [];
  private count = 0;

  constructor(api: A, version: number, field: K) {
    this.api = api;
    this.version = version;
    this.field = field;
  }

  /** Encodes the next elements. @throws EncodeError if the version cannot express them */
  add(elements: readonly ElementOf<A, K>[]): void {
    if (elements.length === 0) return;
    const part = encodeElements(encodingPlan(this.api.response, this.version), this.field, elements);
    this.parts.push(part);
    this.bytes += part.length;
    this.count += elements.length;
  }

  /** The pieces of the whole frame. `value` is the response without the array. @throws EncodeError as above */
  finish(correlationId: number, value: Omit<ResponseInput<A>, K>): Buffer[] {
    const gap = new ArrayGap(this.count);
    const around = encodeFrame(this.api, this.version, correlationId, { ...value, [this.field]: gap }, this.bytes);
    return [around.subarray(0, gap.position), ...this.parts, around.subarray(gap.position)];
  }
}
