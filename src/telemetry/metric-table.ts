/**
 * The table of metrics: name, type, unit, labels and meaning of everything that `GET /metrics` shows. The memory that threads count in, the page and
 * `docs/METRICS.md` are derived from it. One list for each writer, because each writer has memory of its own.
 *
 * Names: where Kafka has the metric, its JMX name in the form that the Prometheus JMX exporter's Kafka rules give it (`kafka_server_…`, lower case, `_total`
 * for what JMX counts per second); Node's and the process's as Prometheus' own Node client has them; everything else begins with `ringlog_`.
 */

/** What a number counts. */
export type MetricUnit = 'bytes' | 'ms' | 'seconds' | 'records' | 'batches' | 'count' | 'offset' | 'flag';

/** One line of the table. */
export interface MetricDefinition {
  /** In code. */
  readonly key: string;
  /** On the page. */
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly unit: MetricUnit;
  /** One sentence. */
  readonly help: string;
  /** The JMX name of Kafka's metric that this one is. */
  readonly kafka?: string;
  /** Upper ends of a histogram's buckets, ascending. */
  readonly bounds?: readonly number[];
}

/** Milliseconds. A loopback answer takes a tenth, a long poll half a second. */
const LATENCY_BOUNDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 5000];

/** Counted by main as it goes, or copied once a second from what its parts count for themselves. */
export const MAIN_METRICS = [
  {
    key: 'requestBytes',
    name: 'kafka_server_socket_server_metrics_incoming_byte_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes read from client connections.',
    kafka: 'kafka.server:type=socket-server-metrics incoming-byte-total',
  },
  {
    key: 'responseBytes',
    name: 'kafka_server_socket_server_metrics_outgoing_byte_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes given to client connections.',
    kafka: 'kafka.server:type=socket-server-metrics outgoing-byte-total',
  },
  {
    key: 'fetchedBytes',
    name: 'kafka_server_brokertopicmetrics_bytesout_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of record batches in answers to fetches.',
    kafka: 'kafka.server:type=BrokerTopicMetrics,name=BytesOutPerSec',
  },
  {
    key: 'produceFailures',
    name: 'kafka_server_brokertopicmetrics_failedproducerequests_total',
    type: 'counter',
    unit: 'count',
    help: 'Produce requests in whose answer at least one partition has an error.',
    kafka: 'kafka.server:type=BrokerTopicMetrics,name=FailedProduceRequestsPerSec',
  },
  {
    key: 'connections',
    name: 'kafka_server_socket_server_metrics_connection_count',
    type: 'gauge',
    unit: 'count',
    help: 'Client connections that are open.',
    kafka: 'kafka.server:type=socket-server-metrics connection-count',
  },
  {
    key: 'connectionsAccepted',
    name: 'kafka_server_socket_server_metrics_connection_creation_total',
    type: 'counter',
    unit: 'count',
    help: 'Client connections accepted.',
    kafka: 'kafka.server:type=socket-server-metrics connection-creation-total',
  },
  {
    key: 'connectionsClosed',
    name: 'kafka_server_socket_server_metrics_connection_close_total',
    type: 'counter',
    unit: 'count',
    help: 'Client connections closed, by whichever side.',
    kafka: 'kafka.server:type=socket-server-metrics connection-close-total',
  },
  {
    key: 'connectionsRefused',
    name: 'ringlog_connections_refused_total',
    type: 'counter',
    unit: 'count',
    help: 'Connections closed as they came because of max.connections, max.connections.per.ip or the limit of open files.',
  },
  {
    key: 'connectionsBad',
    name: 'ringlog_connections_closed_bad_request_total',
    type: 'counter',
    unit: 'count',
    help: 'Connections closed for what their client sent.',
  },
  {
    key: 'connectionsStalled',
    name: 'ringlog_connections_closed_stalled_total',
    type: 'counter',
    unit: 'count',
    help: 'Connections closed because a request stopped in the middle.',
  },
  {
    key: 'connectionsIdle',
    name: 'kafka_server_socket_server_metrics_expired_connections_killed_count',
    type: 'counter',
    unit: 'count',
    help: 'Connections closed because nothing came for connections.max.idle.ms.',
  },
  {
    key: 'acceptErrors',
    name: 'ringlog_accept_errors_total',
    type: 'counter',
    unit: 'count',
    help: 'Times that accepting a connection failed, mostly for want of a file descriptor.',
  },
  {
    key: 'receiveMemoryUsed',
    name: 'ringlog_receive_memory_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory that requests on their way from sockets to disk have now, of ringlog.receive.memory.bytes.',
  },
  {
    key: 'receiveMemoryWaiting',
    name: 'ringlog_receive_memory_waiting',
    type: 'gauge',
    unit: 'count',
    help: 'Connections that are not read from because they wait for such memory.',
  },
  {
    key: 'fetchMemoryFree',
    name: 'ringlog_fetch_memory_free_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory for records on their way from disk to sockets that nobody has now, of ringlog.fetch.memory.bytes.',
  },
  {
    key: 'fetchMemoryWaiting',
    name: 'ringlog_fetch_memory_waiting',
    type: 'gauge',
    unit: 'count',
    help: 'Fetches that wait for such memory.',
  },
  {
    key: 'fetchesActive',
    name: 'ringlog_fetches_active',
    type: 'gauge',
    unit: 'count',
    help: 'Fetches that are being read, that wait for records, or whose answer the client has not taken yet.',
  },
  {
    key: 'producesFree',
    name: 'ringlog_produce_slots_free',
    type: 'gauge',
    unit: 'count',
    help: 'Produce requests that could still be taken before others are answered.',
  },
  {
    key: 'topics',
    name: 'kafka_controller_kafkacontroller_globaltopiccount',
    type: 'gauge',
    unit: 'count',
    help: 'Topics.',
    kafka: 'kafka.controller:type=KafkaController,name=GlobalTopicCount',
  },
  {
    key: 'partitions',
    name: 'kafka_server_replicamanager_partitioncount',
    type: 'gauge',
    unit: 'count',
    help: 'Partitions.',
    kafka: 'kafka.server:type=ReplicaManager,name=PartitionCount',
  },
  {
    key: 'partitionsOffline',
    name: 'kafka_server_replicamanager_offlinereplicacount',
    type: 'gauge',
    unit: 'count',
    help: 'Partitions that their shard has refused to take over.',
    kafka: 'kafka.server:type=ReplicaManager,name=OfflineReplicaCount',
  },
  {
    key: 'groups',
    name: 'kafka_coordinator_group_groupmetadatamanager_numgroups',
    type: 'gauge',
    unit: 'count',
    help: 'Consumer groups, those without members included.',
    kafka: 'kafka.coordinator.group:type=GroupMetadataManager,name=NumGroups',
  },
  {
    key: 'groupsEmpty',
    name: 'kafka_coordinator_group_groupmetadatamanager_numgroupsempty',
    type: 'gauge',
    unit: 'count',
    help: 'Groups without members: only their committed offsets are kept.',
    kafka: 'kafka.coordinator.group:type=GroupMetadataManager,name=NumGroupsEmpty',
  },
  {
    key: 'groupsPreparing',
    name: 'kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance',
    type: 'gauge',
    unit: 'count',
    help: 'Groups that wait for their members to join.',
    kafka: 'kafka.coordinator.group:type=GroupMetadataManager,name=NumGroupsPreparingRebalance',
  },
  {
    key: 'groupsCompleting',
    name: 'kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance',
    type: 'gauge',
    unit: 'count',
    help: 'Groups that wait for the assignment of their leader.',
    kafka: 'kafka.coordinator.group:type=GroupMetadataManager,name=NumGroupsCompletingRebalance',
  },
  {
    key: 'groupsStable',
    name: 'kafka_coordinator_group_groupmetadatamanager_numgroupsstable',
    type: 'gauge',
    unit: 'count',
    help: 'Groups whose members all have their assignment.',
    kafka: 'kafka.coordinator.group:type=GroupMetadataManager,name=NumGroupsStable',
  },
  {
    key: 'groupOffsets',
    name: 'kafka_coordinator_group_groupmetadatamanager_numoffsets',
    type: 'gauge',
    unit: 'count',
    help: 'Committed offsets, of all groups and partitions.',
    kafka: 'kafka.coordinator.group:type=GroupMetadataManager,name=NumOffsets',
  },
  {
    key: 'jobsPending',
    name: 'ringlog_jobs_pending',
    type: 'gauge',
    unit: 'count',
    help: 'Jobs of the keeper (checkpoints, deletions, indexes) that are queued or run.',
  },
  {
    key: 'jobs',
    name: 'ringlog_jobs_total',
    type: 'counter',
    unit: 'count',
    help: 'Jobs of the keeper that have ended.',
  },
  {
    key: 'eventLoopActive',
    name: 'ringlog_event_loop_active_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Time that the event loop of the main thread was busy; its rate is the busy part of a second.',
  },
  {
    key: 'eventLoopLagMean',
    name: 'nodejs_eventloop_lag_mean_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Mean delay of the event loop of the main thread in the last second.',
  },
  {
    key: 'eventLoopLagP99',
    name: 'nodejs_eventloop_lag_p99_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: '99th percentile of that delay in the last second.',
  },
  {
    key: 'eventLoopLagMax',
    name: 'nodejs_eventloop_lag_max_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Largest such delay in the last second.',
  },
  {
    key: 'gc',
    name: 'nodejs_gc_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Pauses of the main thread for garbage collection.',
    bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 1],
  },
  {
    key: 'heapUsed',
    name: 'nodejs_heap_size_used_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Heap of the main thread in use.',
  },
  {
    key: 'heapTotal',
    name: 'nodejs_heap_size_total_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Heap of the main thread.',
  },
] as const satisfies readonly MetricDefinition[];

/** Of each API that was asked for; label `request`, the API's name. */
export const REQUEST_METRICS = [
  {
    key: 'total',
    name: 'kafka_network_requestmetrics_totaltimems',
    type: 'histogram',
    unit: 'ms',
    help: 'From when a request had arrived whole to when its answer was given to the socket; the count is the number of requests.',
    kafka: 'kafka.network:type=RequestMetrics,name=TotalTimeMs',
    bounds: LATENCY_BOUNDS,
  },
  {
    key: 'queue',
    name: 'kafka_network_requestmetrics_requestqueuetimems',
    type: 'histogram',
    unit: 'ms',
    help: 'The part of it that the request waited for its turn, for room in a ring, or for compressed batches to be opened.',
    kafka: 'kafka.network:type=RequestMetrics,name=RequestQueueTimeMs',
    bounds: LATENCY_BOUNDS,
  },
  {
    key: 'local',
    name: 'kafka_network_requestmetrics_localtimems',
    type: 'histogram',
    unit: 'ms',
    help: 'The part in which it was worked on: a Produce at its shards, the disk included; a Fetch also while it waits for records.',
    kafka: 'kafka.network:type=RequestMetrics,name=LocalTimeMs',
    bounds: LATENCY_BOUNDS,
  },
  {
    key: 'response',
    name: 'kafka_network_requestmetrics_responsequeuetimems',
    type: 'histogram',
    unit: 'ms',
    help: 'The part in which the finished answer waited for those before it on the same connection.',
    kafka: 'kafka.network:type=RequestMetrics,name=ResponseQueueTimeMs',
    bounds: LATENCY_BOUNDS,
  },
] as const satisfies readonly MetricDefinition[];

/** Of each shard; label `shard`, its name. */
export const SHARD_METRICS = [
  {
    key: 'bytes',
    name: 'kafka_server_brokertopicmetrics_bytesin_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of record batches appended.',
    kafka: 'kafka.server:type=BrokerTopicMetrics,name=BytesInPerSec',
  },
  {
    key: 'records',
    name: 'kafka_server_brokertopicmetrics_messagesin_total',
    type: 'counter',
    unit: 'records',
    help: 'Records appended.',
    kafka: 'kafka.server:type=BrokerTopicMetrics,name=MessagesInPerSec',
  },
  {
    key: 'refused',
    name: 'ringlog_batches_refused_total',
    type: 'counter',
    unit: 'batches',
    help: 'Record batches that the shard has refused (corrupt, out of sequence, no room on the disk).',
  },
  {
    key: 'groupBatches',
    name: 'ringlog_group_batches',
    type: 'histogram',
    unit: 'batches',
    help: 'Record batches in one group commit.',
    bounds: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096],
  },
  {
    key: 'groupBytes',
    name: 'ringlog_group_bytes',
    type: 'histogram',
    unit: 'bytes',
    help: 'Bytes of record batches in one group commit.',
    bounds: [1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216],
  },
  {
    key: 'groupTime',
    name: 'ringlog_group_ms',
    type: 'histogram',
    unit: 'ms',
    help: 'Time of one group commit, from the first batch looked at to the answers given to the main thread.',
    bounds: LATENCY_BOUNDS,
  },
  {
    key: 'flushTime',
    name: 'kafka_log_logflushstats_logflushrateandtimems',
    type: 'histogram',
    unit: 'ms',
    help: 'Time that a group waited for the disk (fdatasync of the journal and of the segments it refers to).',
    kafka: 'kafka.log:type=LogFlushStats,name=LogFlushRateAndTimeMs',
    bounds: LATENCY_BOUNDS,
  },
  {
    key: 'journalWritten',
    name: 'ringlog_journal_written_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of groups written to the journal.',
  },
  {
    key: 'journalBytes',
    name: 'ringlog_journal_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Size of the journal.',
  },
  {
    key: 'journalFree',
    name: 'ringlog_journal_free_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Room in the journal before a checkpoint has to free some.',
  },
  {
    key: 'checkpoints',
    name: 'ringlog_checkpoints_total',
    type: 'counter',
    unit: 'count',
    help: 'Checkpoints that are durable.',
  },
  {
    key: 'checkpointTime',
    name: 'ringlog_checkpoint_last_ms',
    type: 'gauge',
    unit: 'ms',
    help: 'How long the last one took.',
  },
  {
    key: 'checkpointDue',
    name: 'ringlog_checkpoint_pending_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes written since the last checkpoint was taken: what a recovery would have to look at.',
  },
  {
    key: 'stalls',
    name: 'ringlog_journal_full_total',
    type: 'counter',
    unit: 'count',
    help: 'Times that the shard found its journal full and waited for a checkpoint.',
  },
  {
    key: 'failed',
    name: 'ringlog_shard_failed',
    type: 'gauge',
    unit: 'flag',
    help: '1 after a failed sync: the shard takes no more appends until the broker is started again.',
  },
] as const satisfies readonly MetricDefinition[];

/** Written by main for each shard; label `shard`. */
export const RING_METRICS = [
  {
    key: 'inFlight',
    name: 'ringlog_ring_appends_in_flight',
    type: 'gauge',
    unit: 'batches',
    help: 'Record batches given to the shard and not answered to the end.',
  },
  {
    key: 'waiting',
    name: 'ringlog_ring_waiting',
    type: 'gauge',
    unit: 'count',
    help: 'Requests that wait for room in the ring of the shard.',
  },
] as const satisfies readonly MetricDefinition[];

/** Of partitions, as many as ringlog.metrics.partitions.max says; labels `topic` and `partition`. */
export const PARTITION_METRICS = [
  {
    key: 'logStart',
    name: 'kafka_log_log_logstartoffset',
    type: 'gauge',
    unit: 'offset',
    help: 'First offset that can be read.',
    kafka: 'kafka.log:type=Log,name=LogStartOffset',
  },
  {
    key: 'logEnd',
    name: 'kafka_log_log_logendoffset',
    type: 'gauge',
    unit: 'offset',
    help: 'The watermark: offset of the next record that becomes readable.',
    kafka: 'kafka.log:type=Log,name=LogEndOffset',
  },
  {
    key: 'size',
    name: 'kafka_log_log_size',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes of all segments.',
    kafka: 'kafka.log:type=Log,name=Size',
  },
] as const satisfies readonly MetricDefinition[];

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

/** Of the process; read when the page is made. */
export const PROCESS_METRICS = [
  {
    key: 'rss',
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Resident memory of the process.',
  },
  {
    key: 'cpu',
    name: 'process_cpu_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'Processor time of the process, all threads.',
  },
  {
    key: 'uptime',
    name: 'ringlog_uptime_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Age of the process.',
  },
  {
    key: 'diskFree',
    name: 'ringlog_disk_usable_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Room on the disk of the data folder.',
  },
  {
    key: 'diskTotal',
    name: 'ringlog_disk_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Size of that disk.',
  },
  {
    key: 'up',
    name: 'ringlog_up',
    type: 'gauge',
    unit: 'flag',
    help: '1 while the broker takes requests and every shard takes appends; otherwise see /health.',
  },
  {
    key: 'seriesLeftOut',
    name: 'ringlog_metrics_series_left_out',
    type: 'gauge',
    unit: 'count',
    help: 'Partitions, partitions of groups and groups without series of their own, because there are more than ringlog.metrics.partitions.max.',
  },
] as const satisfies readonly MetricDefinition[];

/** Everything on the page, for whoever describes it: each list with its labels. */
export const METRIC_LISTS: readonly { readonly labels: readonly string[]; readonly metrics: readonly MetricDefinition[] }[] = [
  { labels: [], metrics: PROCESS_METRICS },
  { labels: [], metrics: MAIN_METRICS },
  { labels: ['request'], metrics: REQUEST_METRICS },
  { labels: ['shard'], metrics: SHARD_METRICS },
  { labels: ['shard'], metrics: RING_METRICS },
  { labels: ['topic', 'partition'], metrics: PARTITION_METRICS },
  { labels: ['group', 'topic', 'partition'], metrics: GROUP_METRICS },
  { labels: ['group'], metrics: MEMBER_METRICS },
];
