/** The part of the table of metrics that is about consumer groups. */
import type { MetricDefinition } from './metric-definition.ts';

/**
 * Of partitions that consumer groups have committed offsets of, as many as ringlog.metrics.partitions.max says; labels `group`, `topic` and `partition`. Named as the
 * Kafka exporters that people have name them.
 */
export const GROUP_METRICS = [
  {
    key: 'lag',
    name: 'kafka_consumergroup_lag',
    type: 'gauge',
    unit: 'records',
    help: 'Offsets between the committed offset of a group and the watermark. In compacted topics fewer records than that may be left.',
  },
  {
    key: 'lagSeconds',
    name: 'kafka_consumergroup_lag_seconds',
    type: 'gauge',
    unit: 'seconds',
    help:
      'Age, by its timestamp, of the first record that the group has not committed; 0 without any, NaN if its producer gave no time. Records of a batch count as old ' +
      'as the first of it. After a commit the record is looked up in the background; until then, mostly a second, this is the least that it can be.',
  },
] as const satisfies readonly MetricDefinition[];

/** Of consumer groups, as many as ringlog.metrics.partitions.max says; label `group`. */
export const MEMBER_METRICS = [
  {
    key: 'members',
    name: 'kafka_consumergroup_members',
    type: 'gauge',
    unit: 'count',
    help: 'Members of a group.',
  },
] as const satisfies readonly MetricDefinition[];
