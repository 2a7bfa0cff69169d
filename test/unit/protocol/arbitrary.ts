/** Random values of any table in any version, in the shape that decoding yields. */

import fc from 'fast-check';
import { defaultOf, planOf, type FieldPlan, type StructPlan } from '../../../src/protocol/plan.ts';
import type { Message } from '../../../src/protocol/schema.ts';

const safeInt64 = fc.maxSafeInteger().map(BigInt);

/** How int64 fields are drawn: from the whole range, or only what a number holds exactly (the views' promise). */
export interface Options {
  readonly safe?: boolean;
}

function fieldArbitrary(field: FieldPlan, options: Options): fc.Arbitrary<unknown> {
  const value = plainArbitrary(field, options);
  return field.nullable ? fc.option(value, { nil: null, freq: 4 }) : value;
}

function plainArbitrary(field: FieldPlan, options: Options): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'bool':
      return fc.boolean();
    case 'int8':
      return fc.integer({ min: -128, max: 127 });
    case 'int16':
      return fc.integer({ min: -32768, max: 32767 });
    case 'uint16':
      return fc.integer({ min: 0, max: 65535 });
    case 'int32':
      return fc.integer();
    case 'uint32':
      return fc.integer({ min: 0, max: 0xffffffff });
    case 'int64':
      return options.safe ? safeInt64 : fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case 'float64':
      return fc.double({ noNaN: true }).map((value) => value + 0);
    case 'string':
      return fc.oneof(
        { weight: 9, arbitrary: fc.string({ unit: 'grapheme', maxLength: 20 }) },
        { weight: 1, arbitrary: fc.string({ minLength: 120, maxLength: 300 }) },
      );
    case 'uuid':
      return fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'));
    case 'bytes':
    case 'records':
      return fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    case 'array':
      return fc.array(fieldArbitrary({ ...field.element!, nullable: false }, options), { maxLength: 3 });
    case 'struct':
      return structArbitrary(field.struct!, options);
  }
}

function structArbitrary(plan: StructPlan, options: Options): fc.Arbitrary<Record<string, unknown>> {
  const model: Record<string, fc.Arbitrary<unknown>> = {};
  for (const field of plan.fields) {
    model[field.name] = field.present ? fieldArbitrary(field, options) : fc.constant(null).map(() => defaultOf(field));
  }
  return fc.record(model, { noNullPrototype: true });
}

/** Random values of `message` in `version`. */
export function valueOf(message: Message, version: number, options: Options = {}): fc.Arbitrary<any> {
  return structArbitrary(planOf(message, version)!.root, options);
}
