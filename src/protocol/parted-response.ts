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

/** Elements of an array anywhere in a response, encoded part by part. `E` is what such an element is. */
export class PartedArray<E> {
  /** Bytes of the elements so far. */
  bytes = 0;
  private readonly api: Api;
  private readonly version: number;
  private readonly path: readonly string[];
  private readonly parts: Buffer[] = [];
  private count = 0;

  /** @param path names of fields from the root of the response down to the array */
  constructor(api: Api, version: number, path: readonly string[]) {
    this.api = api;
    this.version = version;
    this.path = path;
  }

  /** Encodes the next elements. @throws EncodeError if the version cannot express them */
  add(elements: readonly E[]): void {
    if (elements.length === 0) return;
    const part = encodeElements(encodingPlan(this.api.response, this.version), this.path, elements);
    this.parts.push(part);
    this.bytes += part.length;
    this.count += elements.length;
  }

  /** The pieces of the whole frame. `around` gives the response with the gap in the array's place. @throws EncodeError as above */
  finish(correlationId: number, around: (gap: ArrayGap) => object): Buffer[] {
    const gap = new ArrayGap(this.count);
    const frame = encodeFrame(this.api, this.version, correlationId, around(gap), this.bytes);
    return [frame.subarray(0, gap.position), ...this.parts, frame.subarray(gap.position)];
  }
}

/** See the file header. */
export class PartedResponse<A extends Api, K extends ArrayFieldOf<A>> {
  private readonly array: PartedArray<ElementOf<A, K>>;
  private readonly field: K;

  constructor(api: A, version: number, field: K) {
    this.array = new PartedArray(api, version, [field]);
    this.field = field;
  }

  /** Bytes of the elements so far. */
  get bytes(): number {
    return this.array.bytes;
  }

  /** Encodes the next elements. @throws EncodeError if the version cannot express them */
  add(elements: readonly ElementOf<A, K>[]): void {
    this.array.add(elements);
  }

  /** The pieces of the whole frame. `value` is the response without the array. @throws EncodeError as above */
  finish(correlationId: number, value: Omit<ResponseInput<A>, K>): Buffer[] {
    return this.array.finish(correlationId, (gap) => ({ ...value, [this.field]: gap }));
  }
}
