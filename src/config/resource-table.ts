/**
 * Settings of groups and of subscriptions to client metrics, as Kafka (4.3) describes them where nobody has set any. They are for groups of the newer protocols
 * and for subscriptions, which are not there, so nothing can be set; tools that list what there is are told the defaults.
 */
import { notYet, type ConfigDefinition, type ConfigType } from './definition.ts';

const GROUPS = notYet('there are only groups of the classic protocol yet');
const METRICS = notYet('there are no subscriptions to client metrics');

function group(name: string, type: ConfigType, value: string, doc: string): ConfigDefinition {
  return { name, type, default: value, dynamic: true, state: GROUPS, doc };
}

function metrics(name: string, type: ConfigType, value: string, doc: string): ConfigDefinition {
  return { name, type, default: value, dynamic: true, state: METRICS, doc };
}

export const GROUP_CONFIGS: readonly ConfigDefinition[] = [
  group('consumer.assignment.interval.ms', 'INT', '1000', 'Time between two changes of the assignment of a consumer group.'),
  group('consumer.heartbeat.interval.ms', 'INT', '5000', 'Heartbeat interval given to the members of a consumer group.'),
  group('consumer.session.timeout.ms', 'INT', '45000', 'A member of a consumer group that is silent for this long is gone.'),
  group('share.assignment.interval.ms', 'INT', '1000', 'Time between two changes of the assignment of a share group.'),
  group('share.auto.offset.reset', 'STRING', 'latest', 'Where a share group begins: earliest, latest or by_duration:<duration>.'),
  group('share.delivery.count.limit', 'INT', '5', 'Most deliveries of one record to a share group.'),
  group('share.heartbeat.interval.ms', 'INT', '5000', 'Heartbeat interval given to the members of a share group.'),
  group('share.isolation.level', 'STRING', 'read_uncommitted', 'Whether a share group reads records of aborted transactions.'),
  group('share.partition.max.record.locks', 'INT', '2000', 'Most records of a partition that a share group holds at a time.'),
  group('share.record.lock.duration.ms', 'INT', '30000', 'How long a member of a share group holds a record.'),
  group('share.renew.acknowledge.enable', 'BOOLEAN', 'true', 'Whether a member of a share group may hold a record for longer.'),
  group('share.session.timeout.ms', 'INT', '45000', 'A member of a share group that is silent for this long is gone.'),
  group('streams.assignment.interval.ms', 'INT', '1000', 'Time between two changes of the assignment of a streams group.'),
  group('streams.heartbeat.interval.ms', 'INT', '5000', 'Heartbeat interval given to the members of a streams group.'),
  group('streams.initial.rebalance.delay.ms', 'INT', '3000', 'How long a new streams group waits for more members.'),
  group('streams.num.standby.replicas', 'INT', '0', 'Standby replicas of each task of a streams group.'),
  group('streams.session.timeout.ms', 'INT', '45000', 'A member of a streams group that is silent for this long is gone.'),
];

export const CLIENT_METRICS_CONFIGS: readonly ConfigDefinition[] = [
  metrics('interval.ms', 'INT', '300000', 'How often clients push their metrics.'),
  metrics('match', 'LIST', '', 'Which clients push metrics.'),
  metrics('metrics', 'LIST', '', 'Prefixes of the names of the metrics that are pushed.'),
];
