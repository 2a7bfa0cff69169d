/** The shape of one line in the table of settings. Pure data: everything else about settings is derived from it. */

/** Kafka's type names; the numbers of the wire are in `describe.ts`. */
export type ConfigType = 'BOOLEAN' | 'STRING' | 'INT' | 'LONG' | 'DOUBLE' | 'LIST';

/** What the number counts; `undefined` for settings that are not amounts. */
export type ConfigUnit = 'bytes' | 'ms' | 'us' | 'messages' | 'count' | 'ratio';

/**
 * How far a setting has an effect today.
 * - `applied`: it does what Kafka's documentation says, or for our own what `doc` says.
 * - `notYet`: reported with its default; any other value is refused with `why`, except those in `alsoAccepted` (what really happens today).
 * - `notApplicable`: accepted, stored and reported, and without effect because ringlog does that work another way; `why` says how.
 */
export type ConfigState =
  | { readonly kind: 'applied' }
  | { readonly kind: 'notYet'; readonly why: string; readonly alsoAccepted?: readonly string[] }
  | { readonly kind: 'notApplicable'; readonly why: string };

export interface ConfigDefinition {
  /** Kafka's name where Kafka has one; ours begin with `ringlog.`. */
  readonly name: string;
  readonly type: ConfigType;
  /** In the text form in which values travel; the empty string for "not set" and for an empty list. */
  readonly default: string;
  /** Inclusive bounds of INT, LONG and DOUBLE, in addition to the range of the type itself. */
  readonly min?: number;
  readonly max?: number;
  /** For STRING and LIST: the legal words. */
  readonly validValues?: readonly string[];
  readonly unit?: ConfigUnit;
  /** Whether a change takes effect without a restart. */
  readonly dynamic: boolean;
  readonly state: ConfigState;
  /** One line. */
  readonly doc: string;
}

export interface TopicConfigDefinition extends ConfigDefinition {
  /** Name of the broker-wide default of this topic setting, or undefined when there is none. */
  readonly brokerName?: string;
}

/** 2^63-1 as text: "no limit" or "never" in LONG settings. */
export const LONG_MAX_TEXT = '9223372036854775807';

export const APPLIED: ConfigState = { kind: 'applied' };

export function notYet(why: string, alsoAccepted: readonly string[] = []): ConfigState {
  return { kind: 'notYet', why, alsoAccepted };
}

export function notApplicable(why: string): ConfigState {
  return { kind: 'notApplicable', why };
}

/** Somebody's text as part of a one-line message: on one line, and not longer than a line. */
export function shown(text: string): string {
  const oneLine = text.replaceAll(/\s/g, ' ');
  return oneLine.length > 80 ? `${oneLine.slice(0, 80)}…` : oneLine;
}
