/** Reading golden vectors, and turning their values into the shapes that the codec speaks. */

import { readFileSync } from 'node:fs';
import { defaultOf, type FieldPlan, type StructPlan } from '../../src/protocol/plan.ts';

/** One vector; which fields are there depends on `kind`, see README.md. */
export interface Vector {
  api: string;
  key: number;
  version: number;
  kind: string;
  sample?: string;
  decodeOnly?: boolean;
  value: any;
  hex: string;
  /** frame */
  of?: 'request' | 'response';
  headerVersion?: number;
  /** batch, frame */
  note?: string;
  /** primitive */
  type?: string;
  base64url?: string;
}

/** The project's own vectors. */
export const ownVectors: Vector[] = readFileSync(new URL('./vectors.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector);

/** A name for test output. */
export function title(vector: Vector): string {
  return [vector.api, vector.kind, vector.of, `v${vector.version}`, vector.sample, vector.note]
    .filter((part) => part !== undefined)
    .join(' ');
}

const camel = (name: string): string => name[0]!.toLowerCase() + name.slice(1);

/** Tagged fields that stored records gained after the vectors were made; vectors do not list them. */
const LATER_STORED_FIELDS = new Set(['topicId', 'metadataHash', 'creationTimeMs', 'assignmentEpochs', 'nextProducerEpoch']);

function fieldValue(field: FieldPlan, value: any, stored: boolean): unknown {
  if (value === null) return null;
  switch (field.kind) {
    case 'int64':
      return BigInt(value);
    case 'uuid':
      return Buffer.from(value.replaceAll('-', ''), 'hex').toString('base64url');
    case 'bytes':
    case 'records':
      return Buffer.from(value, 'hex');
    case 'array':
      return value.map((element: any) => fieldValue(field.element!, element, stored));
    case 'struct':
      return structValue(field.struct!, value, stored);
    default:
      return value;
  }
}

/**
 * What decoding must yield: the listed fields, and defaults for fields that this version lacks.
 * A field that the version has but the vector does not list, or the other way round, is an error of the table.
 */
export function structValue(plan: StructPlan, value: Record<string, any>, stored = false): Record<string, unknown> {
  const given = new Map(Object.entries(value).map(([name, inner]) => [camel(name), inner]));
  const result: Record<string, unknown> = {};
  for (const field of plan.fields) {
    const listed = given.has(field.name);
    const isLater = stored && field.tag !== -1 && LATER_STORED_FIELDS.has(field.name);
    if (field.present !== listed && !isLater) throw new Error(`${field.path}: present ${field.present}, listed ${listed}`);
    result[field.name] = listed ? fieldValue(field, given.get(field.name), stored) : defaultOf(field);
    given.delete(field.name);
  }
  if (given.size > 0) throw new Error(`fields without table entry: ${[...given.keys()].join(', ')}`);
  return result;
}
