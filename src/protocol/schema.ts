/**
 * The language in which messages of the wire protocol are written down: one table per API, all versions in it.
 *
 * A table reads like Kafka's own definitions. Line order is wire order, and each field takes one attribute string:
 *
 *     [RANGE] [nullable[=RANGE]] [tag=N] [default=VALUE] [mapkey] [ignorable] [noncompact]
 *
 * RANGE is `3`, `0-12` or `3+` and says where the field exists; without it the field is wherever its parent is.
 * `nullable=7+` limits null to those versions, `tag=N` moves the field to the tag section of its struct, `default`
 * is assumed where the field is not on the wire (else the zero of the type), `mapkey` is part of the key by which
 * entries of the enclosing array are unique, an `ignorable` field may be dropped when writing a version without
 * it, and `noncompact` keeps its old encoding in flexible versions.
 *
 * The strings are parsed when a version is first used (`plan.ts`), not when the table is loaded; a test parses all.
 * The types of the decoded and of the encodable value are derived from the table.
 */

export type Kind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'float64'
  | 'string'
  | 'uuid'
  | 'bytes'
  | 'records'
  | 'struct'
  | 'array';

/** One field of a table, or the element of an array. `Out` and `In` exist for the compiler only. */
export interface Field<Out = unknown, In = unknown, Attributes extends string = string> {
  readonly kind: Kind;
  readonly attributes: Attributes;
  /** Set for `struct`. */
  readonly fields?: Fields;
  /** Set for `array`. */
  readonly element?: Field;
  readonly outType?: Out;
  readonly inType?: In;
}

export type Fields = Readonly<Record<string, Field>>;

/** A struct with a name and versions: the body of a request or response, or a stored record. */
export interface Message<F extends Fields = Fields> {
  readonly name: string;
  readonly versions: string;
  /** Range of the flexible versions, or '' for none. */
  readonly flexible: string;
  readonly fields: F;
}

/** One API of the protocol. */
export interface Api<Req extends Fields = Fields, Res extends Fields = Fields> {
  readonly key: number;
  readonly name: string;
  readonly request: Message<Req>;
  readonly response: Message<Res>;
}

type OutOf<T> = T extends Field<infer Out, infer _In, infer _A> ? Out : never;
type InOf<T> = T extends Field<infer _Out, infer In, infer _A> ? In : never;

/** A field may be left out of an encodable value if its absence has a meaning: another version, a default, a tag. */
type MayBeLeftOut<T> = T extends { readonly attributes: infer A }
  ? A extends `${number}${string}` | `${string}default=${string}` | `${string}tag=${string}` | `${string}ignorable${string}`
    ? true
    : false
  : false;

/** The decoded shape: every field of every version, so that handlers see one shape. */
export type Decoded<F extends Fields> = { -readonly [K in keyof F]: OutOf<F[K]> };

/** What an encoder takes: fields that mean something by their absence are optional. */
export type Encodable<F extends Fields> = {
  readonly [K in keyof F as MayBeLeftOut<F[K]> extends true ? never : K]: InOf<F[K]>;
} & {
  readonly [K in keyof F as MayBeLeftOut<F[K]> extends true ? K : never]?: InOf<F[K]> | undefined;
};

export type RequestOf<A> = A extends Api<infer F> ? Decoded<F> : never;
export type ResponseOf<A> = A extends Api<Fields, infer F> ? Decoded<F> : never;
export type RequestInput<A> = A extends Api<infer F> ? Encodable<F> : never;
export type ResponseInput<A> = A extends Api<Fields, infer F> ? Encodable<F> : never;

type Nullable<T, A extends string> = A extends `${string}nullable${string}` ? T | null : T;
type Builder<Out, In> = <const A extends string = ''>(attributes?: A) => Field<Nullable<Out, A>, Nullable<In, A>, A>;

function builder<Out, In = Out>(kind: Kind): Builder<Out, In> {
  return (attributes) => ({ kind, attributes: attributes ?? ('' as NonNullable<typeof attributes>) });
}

export const bool = builder<boolean>('bool');
export const int8 = builder<number>('int8');
export const int16 = builder<number>('int16');
export const uint16 = builder<number>('uint16');
export const int32 = builder<number>('int32');
/** @later no API that is served has one */
export const uint32 = builder<number>('uint32');
/** Decoded as bigint, because the whole range is legal; a safe integer may be given to the encoder. */
export const int64 = builder<bigint, bigint | number>('int64');
export const float64 = builder<number>('float64');
export const string = builder<string>('string');
/** Kafka's text form: 16 bytes as 22 characters of unpadded base64url. */
export const uuid = builder<string>('uuid');
/** A view of the decoded buffer, not a copy. */
export const bytes = builder<Buffer, Uint8Array>('bytes');
/** Concatenated record batches; a view of the decoded buffer, not a copy. */
export const records = builder<Buffer, Uint8Array>('records');

type Element = Fields | Builder<unknown, unknown>;
type ElementOut<E> = E extends Builder<infer Out, infer _In> ? Out : E extends Fields ? Decoded<E> : never;
type ElementIn<E> = E extends Builder<infer _Out, infer In> ? In : E extends Fields ? Encodable<E> : never;
type ArrayField<E, A extends string> = Field<Nullable<ElementOut<E>[], A>, Nullable<readonly ElementIn<E>[], A>, A>;

/** An array of structs, `array({ ... })`, or of primitives, `array(int32)`; attributes of the array come first. */
export function array<E extends Element>(element: E): ArrayField<E, ''>;
export function array<const A extends string, E extends Element>(attributes: A, element: E): ArrayField<E, A>;
export function array(...args: readonly [Element] | readonly [string, Element]): Field {
  const [attributes, element] = args.length === 1 ? (['', args[0]] as const) : args;
  return {
    kind: 'array',
    attributes,
    element: typeof element === 'function' ? element() : { kind: 'struct', attributes: '', fields: element },
  };
}

type StructField<F extends Fields, A extends string> = Field<Nullable<Decoded<F>, A>, Nullable<Encodable<F>, A>, A>;

/** A single nested struct; its attributes come first. */
export function struct<F extends Fields>(fields: F): StructField<F, ''>;
export function struct<const A extends string, F extends Fields>(attributes: A, fields: F): StructField<F, A>;
export function struct(...args: readonly [Fields] | readonly [string, Fields]): Field {
  const [attributes, fields] = args.length === 1 ? (['', args[0]] as const) : args;
  return { kind: 'struct', attributes, fields };
}

/** Declares a message that is not a request or response, e.g. a stored record. `flexible` as in {@link Message}. */
export function message<F extends Fields>(name: string, versions: string, flexible: string, fields: F): Message<F> {
  return { name, versions, flexible, fields };
}

interface ApiHead {
  readonly key: number;
  readonly name: string;
  /** All versions whose layout is known; what is served is said in `api-versions.ts`. */
  readonly versions: string;
  readonly flexible?: string;
}

/** Declares an API: `api({ key, name, versions, flexible }, requestFields, responseFields)`. */
export function api<Req extends Fields, Res extends Fields>(head: ApiHead, request: Req, response: Res): Api<Req, Res> {
  const flexible = head.flexible ?? '';
  return {
    key: head.key,
    name: head.name,
    request: message(`${head.name} request`, head.versions, flexible, request),
    response: message(`${head.name} response`, head.versions, flexible, response),
  };
}

/** The id that stands for "no topic id": all bytes zero. */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';
