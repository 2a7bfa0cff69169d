/**
 * The APIs this broker serves, and in which versions. What stands here is what ApiVersions answers.
 *
 * The upper ends are those of Kafka 4.2. The lower ends stay low on purpose: librdkafka up to 2.11.0 switches features
 * on by exact versions inside the advertised range (Produce 3 and 7, Fetch 4 and 10, ListOffsets 1, those of groups), and stops
 * compressing unless Produce starts at 0. Produce 0-2 is therefore advertised and, as in Kafka 4, refused; see
 * {@link PRODUCE_VERSION_MIN}.
 */

/** One served API. */
export interface ServedApi {
  readonly key: number;
  readonly name: string;
  /** Lowest advertised version. */
  readonly min: number;
  /** Highest advertised version. */
  readonly max: number;
  /** First flexible version: from here on request header 2 and response header 1 are used. -1: none. */
  readonly flexible: number;
}

/** Keys of the APIs that code refers to by name. */
export const ApiKey = {
  PRODUCE: 0,
  FETCH: 1,
  LIST_OFFSETS: 2,
  METADATA: 3,
  OFFSET_COMMIT: 8,
  OFFSET_FETCH: 9,
  FIND_COORDINATOR: 10,
  JOIN_GROUP: 11,
  HEARTBEAT: 12,
  LEAVE_GROUP: 13,
  SYNC_GROUP: 14,
  DESCRIBE_GROUPS: 15,
  LIST_GROUPS: 16,
  API_VERSIONS: 18,
  CREATE_TOPICS: 19,
  DELETE_TOPICS: 20,
  DELETE_RECORDS: 21,
  INIT_PRODUCER_ID: 22,
  OFFSET_FOR_LEADER_EPOCH: 23,
  DESCRIBE_CONFIGS: 32,
  ALTER_CONFIGS: 33,
  DESCRIBE_LOG_DIRS: 35,
  CREATE_PARTITIONS: 37,
  DELETE_GROUPS: 42,
  INCREMENTAL_ALTER_CONFIGS: 44,
  LIST_PARTITION_REASSIGNMENTS: 46,
  OFFSET_DELETE: 47,
  DESCRIBE_CLUSTER: 60,
  LIST_CONFIG_RESOURCES: 74,
  DESCRIBE_TOPIC_PARTITIONS: 75,
} as const;

/** Produce requests below this version are advertised but refused: they carry message sets of magic 0 and 1. */
export const PRODUCE_VERSION_MIN = 3;

/** By ascending key. */
export const SERVED_APIS: readonly ServedApi[] = [
  { key: 0, name: 'Produce', min: 0, max: 13, flexible: 9 },
  { key: 1, name: 'Fetch', min: 4, max: 18, flexible: 12 },
  { key: 2, name: 'ListOffsets', min: 1, max: 11, flexible: 6 },
  { key: 3, name: 'Metadata', min: 0, max: 13, flexible: 9 },
  { key: 8, name: 'OffsetCommit', min: 0, max: 10, flexible: 8 },
  { key: 9, name: 'OffsetFetch', min: 0, max: 10, flexible: 6 },
  { key: 10, name: 'FindCoordinator', min: 0, max: 6, flexible: 3 },
  { key: 11, name: 'JoinGroup', min: 0, max: 9, flexible: 6 },
  { key: 12, name: 'Heartbeat', min: 0, max: 4, flexible: 4 },
  { key: 13, name: 'LeaveGroup', min: 0, max: 5, flexible: 4 },
  { key: 14, name: 'SyncGroup', min: 0, max: 5, flexible: 4 },
  { key: 15, name: 'DescribeGroups', min: 0, max: 6, flexible: 5 },
  { key: 16, name: 'ListGroups', min: 0, max: 5, flexible: 3 },
  { key: 18, name: 'ApiVersions', min: 0, max: 4, flexible: 3 },
  { key: 19, name: 'CreateTopics', min: 2, max: 7, flexible: 5 },
  { key: 20, name: 'DeleteTopics', min: 1, max: 6, flexible: 4 },
  { key: 21, name: 'DeleteRecords', min: 0, max: 2, flexible: 2 },
  { key: 22, name: 'InitProducerId', min: 0, max: 5, flexible: 2 },
  { key: 23, name: 'OffsetForLeaderEpoch', min: 2, max: 4, flexible: 4 },
  { key: 32, name: 'DescribeConfigs', min: 1, max: 4, flexible: 4 },
  { key: 33, name: 'AlterConfigs', min: 0, max: 2, flexible: 2 },
  { key: 35, name: 'DescribeLogDirs', min: 1, max: 4, flexible: 2 },
  { key: 37, name: 'CreatePartitions', min: 0, max: 3, flexible: 2 },
  { key: 42, name: 'DeleteGroups', min: 0, max: 2, flexible: 2 },
  { key: 44, name: 'IncrementalAlterConfigs', min: 0, max: 1, flexible: 1 },
  { key: 46, name: 'ListPartitionReassignments', min: 0, max: 0, flexible: 0 },
  { key: 47, name: 'OffsetDelete', min: 0, max: 0, flexible: -1 },
  { key: 60, name: 'DescribeCluster', min: 0, max: 2, flexible: 0 },
  { key: 74, name: 'ListConfigResources', min: 0, max: 1, flexible: 0 },
  { key: 75, name: 'DescribeTopicPartitions', min: 0, max: 0, flexible: 0 },
];

/** Served APIs by key, so that a lookup is one index; undefined where no API is served. */
const byKey: readonly (ServedApi | undefined)[] = Array.from({ length: 128 }, (_, key) => SERVED_APIS.find((api) => api.key === key));

/** The served API of that key, or undefined. */
export function servedApi(key: number): ServedApi | undefined {
  return key >= 0 && key < byKey.length ? byKey[key] : undefined;
}

/** Whether requests of that API and version are answered other than by refusal. */
export function isServed(key: number, version: number): boolean {
  const api = servedApi(key);
  return api !== undefined && version >= api.min && version <= api.max;
}
