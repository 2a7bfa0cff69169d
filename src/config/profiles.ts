/**
 * Profiles: named sets of knobs. A profile only moves defaults: whatever is set by itself, in any layer, wins over it.
 * `balanced` is the table's own defaults. The numbers of the other two are first guesses until a measurement says better.
 */

export type Profile = 'latency' | 'balanced' | 'throughput';

export interface ProfileDefinition {
  readonly doc: string;
  /** Broker settings by name, in text form. */
  readonly values: Readonly<Record<string, string>>;
}

const MIB = 1024 * 1024;

export const PROFILES: Readonly<Record<Profile, ProfileDefinition>> = {
  latency: {
    doc: 'A single record is acknowledged as soon as can be: shards spin before they sleep, groups stay small, checkpoints come often and in small steps.',
    values: {
      'ringlog.spin.us': '400',
      'ringlog.group.bytes.max': String(1 * MIB),
      'ringlog.group.batches.max': '256',
      'ringlog.checkpoint.interval.bytes': String(128 * MIB),
    },
  },
  balanced: {
    doc: 'The defaults: groups as large as what waits, no spinning.',
    values: {},
  },
  throughput: {
    doc: 'As many bytes a second as the disk takes: large groups, more memory on the way, rarer checkpoints (and so a longer recovery).',
    values: {
      'ringlog.group.bytes.max': String(16 * MIB),
      'ringlog.group.batches.max': '4000',
      'ringlog.receive.memory.bytes': String(512 * MIB),
      'ringlog.fetch.memory.bytes': String(256 * MIB),
      'ringlog.journal.bytes': String(2048 * MIB),
      'ringlog.checkpoint.interval.bytes': String(1024 * MIB),
    },
  },
};
