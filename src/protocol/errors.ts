/**
 * Kafka's error codes in one table. A client that does not know a code takes it for UNKNOWN_SERVER_ERROR.
 *
 * Columns: code, name, what a client does on it, message. 'retry': it tries again; 'refresh': it refreshes its metadata
 * first, then tries again; '': it gives up. Handlers answer codes; the data plane never throws them.
 */

type Reaction = '' | 'retry' | 'refresh';

const ROWS = [
  [-1, 'UNKNOWN_SERVER_ERROR', '', 'The broker failed in a way it did not expect'],
  [0, 'NONE', '', ''],
  [1, 'OFFSET_OUT_OF_RANGE', '', 'The offset lies outside of the log'],
  [2, 'CORRUPT_MESSAGE', 'retry', 'The record batch is damaged, or its size or format is wrong'],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'refresh', 'No such topic or partition here'],
  [4, 'INVALID_FETCH_SIZE', '', 'The fetch size is invalid'],
  [5, 'LEADER_NOT_AVAILABLE', 'refresh', 'The partition has no leader at the moment'],
  [6, 'NOT_LEADER_OR_FOLLOWER', 'refresh', 'This broker is not the leader of the partition'],
  [7, 'REQUEST_TIMED_OUT', 'retry', 'The request timed out'],
  [8, 'BROKER_NOT_AVAILABLE', '', 'The broker is not available'],
  [9, 'REPLICA_NOT_AVAILABLE', 'refresh', 'The replica is not available'],
  [10, 'MESSAGE_TOO_LARGE', '', 'The record batch is larger than max.message.bytes'],
  [11, 'STALE_CONTROLLER_EPOCH', '', 'The controller epoch is outdated'],
  [12, 'OFFSET_METADATA_TOO_LARGE', '', 'The metadata of the committed offset is too long'],
  [13, 'NETWORK_EXCEPTION', 'refresh', 'The connection broke before the answer came'],
  [14, 'COORDINATOR_LOAD_IN_PROGRESS', 'retry', 'The coordinator is loading its state'],
  [15, 'COORDINATOR_NOT_AVAILABLE', 'retry', 'The coordinator is not available'],
  [16, 'NOT_COORDINATOR', 'retry', 'This broker is not the coordinator'],
  [17, 'INVALID_TOPIC_EXCEPTION', '', 'The topic name is not allowed'],
  [18, 'RECORD_LIST_TOO_LARGE', '', 'The record batch is larger than a segment'],
  [19, 'NOT_ENOUGH_REPLICAS', 'retry', 'Too few replicas are in sync'],
  [20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'retry', 'Too few replicas were in sync after the append'],
  [21, 'INVALID_REQUIRED_ACKS', '', 'acks must be 0, 1 or -1'],
  [22, 'ILLEGAL_GENERATION', '', 'The generation of the group is another one'],
  [23, 'INCONSISTENT_GROUP_PROTOCOL', '', 'The member shares no protocol with the group'],
  [24, 'INVALID_GROUP_ID', '', 'The group id is not allowed'],
  [25, 'UNKNOWN_MEMBER_ID', '', 'The group has no such member'],
  [26, 'INVALID_SESSION_TIMEOUT', '', 'The session timeout is outside of the allowed range'],
  [27, 'REBALANCE_IN_PROGRESS', '', 'The group is rebalancing; rejoin'],
  [28, 'INVALID_COMMIT_OFFSET_SIZE', '', 'The commit is too large'],
  [29, 'TOPIC_AUTHORIZATION_FAILED', '', 'Not authorized for the topic'],
  [30, 'GROUP_AUTHORIZATION_FAILED', '', 'Not authorized for the group'],
  [31, 'CLUSTER_AUTHORIZATION_FAILED', '', 'Not authorized for the cluster'],
  [32, 'INVALID_TIMESTAMP', '', 'The timestamp is out of the allowed range'],
  [33, 'UNSUPPORTED_SASL_MECHANISM', '', 'The SASL mechanism is not supported'],
  [34, 'ILLEGAL_SASL_STATE', '', 'The request is not allowed at this point of authentication'],
  [35, 'UNSUPPORTED_VERSION', '', 'The version is not supported'],
  [36, 'TOPIC_ALREADY_EXISTS', '', 'The topic exists already'],
  [37, 'INVALID_PARTITIONS', '', 'The number of partitions is not allowed'],
  [38, 'INVALID_REPLICATION_FACTOR', '', 'The replication factor is not allowed or cannot be met'],
  [39, 'INVALID_REPLICA_ASSIGNMENT', '', 'The replica assignment is not allowed'],
  [40, 'INVALID_CONFIG', '', 'The configuration is not allowed'],
  [41, 'NOT_CONTROLLER', 'retry', 'This broker is not the controller'],
  [42, 'INVALID_REQUEST', '', 'The request contradicts itself or the protocol'],
  [43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT', '', 'The message format of the log does not support this'],
  [44, 'POLICY_VIOLATION', '', 'The request violates a policy'],
  [45, 'OUT_OF_ORDER_SEQUENCE_NUMBER', '', 'The sequence number leaves a gap'],
  [46, 'DUPLICATE_SEQUENCE_NUMBER', '', 'The sequence number was seen already'],
  [47, 'INVALID_PRODUCER_EPOCH', '', 'The producer epoch is outdated'],
  [48, 'INVALID_TXN_STATE', '', 'The transaction is in a state that does not allow this'],
  [49, 'INVALID_PRODUCER_ID_MAPPING', '', 'The producer id does not belong to the transactional id'],
  [50, 'INVALID_TRANSACTION_TIMEOUT', '', 'The transaction timeout is larger than allowed'],
  [51, 'CONCURRENT_TRANSACTIONS', 'retry', 'Another change of the transaction is still going on'],
  [52, 'TRANSACTION_COORDINATOR_FENCED', '', 'The transaction coordinator was replaced'],
  [53, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED', '', 'Not authorized for the transactional id'],
  [54, 'SECURITY_DISABLED', '', 'Security features are off'],
  [55, 'OPERATION_NOT_ATTEMPTED', '', 'Not tried, because another part of the request failed'],
  [56, 'KAFKA_STORAGE_ERROR', 'refresh', 'The disk failed'],
  [57, 'LOG_DIR_NOT_FOUND', '', 'No such log directory'],
  [58, 'SASL_AUTHENTICATION_FAILED', '', 'Authentication failed'],
  [59, 'UNKNOWN_PRODUCER_ID', '', 'The producer id is unknown or expired'],
  [60, 'REASSIGNMENT_IN_PROGRESS', '', 'A reassignment of the partition is going on'],
  [61, 'DELEGATION_TOKEN_AUTH_DISABLED', '', 'Delegation tokens are off'],
  [62, 'DELEGATION_TOKEN_NOT_FOUND', '', 'No such delegation token'],
  [63, 'DELEGATION_TOKEN_OWNER_MISMATCH', '', 'The delegation token belongs to someone else'],
  [64, 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED', '', 'Delegation tokens may not be asked for over this connection'],
  [65, 'DELEGATION_TOKEN_AUTHORIZATION_FAILED', '', 'Not authorized for the delegation token'],
  [66, 'DELEGATION_TOKEN_EXPIRED', '', 'The delegation token has expired'],
  [67, 'INVALID_PRINCIPAL_TYPE', '', 'The principal type is not supported'],
  [68, 'NON_EMPTY_GROUP', '', 'The group still has members'],
  [69, 'GROUP_ID_NOT_FOUND', '', 'No such group'],
  [70, 'FETCH_SESSION_ID_NOT_FOUND', 'retry', 'No such fetch session'],
  [71, 'INVALID_FETCH_SESSION_EPOCH', 'retry', 'The epoch of the fetch session is another one'],
  [72, 'LISTENER_NOT_FOUND', 'refresh', 'No listener of that name leads there'],
  [73, 'TOPIC_DELETION_DISABLED', '', 'Deleting topics is off'],
  [74, 'FENCED_LEADER_EPOCH', 'refresh', 'The leader epoch of the request is outdated'],
  [75, 'UNKNOWN_LEADER_EPOCH', 'retry', 'The leader epoch of the request is not known here yet'],
  [76, 'UNSUPPORTED_COMPRESSION_TYPE', '', 'The compression type is not supported in this version'],
  [77, 'STALE_BROKER_EPOCH', '', 'The broker epoch is outdated'],
  [78, 'OFFSET_NOT_AVAILABLE', 'retry', 'The leader does not know the watermark yet'],
  [79, 'MEMBER_ID_REQUIRED', '', 'Join again with the member id of this answer'],
  [80, 'PREFERRED_LEADER_NOT_AVAILABLE', 'refresh', 'The preferred leader is not available'],
  [81, 'GROUP_MAX_SIZE_REACHED', '', 'The group is full'],
  [82, 'FENCED_INSTANCE_ID', '', 'Another member took over this instance id'],
  [83, 'ELIGIBLE_LEADERS_NOT_AVAILABLE', 'refresh', 'No replica is eligible as leader'],
  [84, 'ELECTION_NOT_NEEDED', 'refresh', 'No election is needed'],
  [85, 'NO_REASSIGNMENT_IN_PROGRESS', '', 'No reassignment of the partition is going on'],
  [86, 'GROUP_SUBSCRIBED_TO_TOPIC', '', 'The group is subscribed to the topic'],
  [87, 'INVALID_RECORD', '', 'A record is invalid'],
  [88, 'UNSTABLE_OFFSET_COMMIT', 'retry', 'A transaction with commits for the partition is still open'],
  [89, 'THROTTLING_QUOTA_EXCEEDED', 'retry', 'The quota is exceeded'],
  [90, 'PRODUCER_FENCED', '', 'A newer producer took over the transactional id'],
  [91, 'RESOURCE_NOT_FOUND', '', 'No such resource'],
  [92, 'DUPLICATE_RESOURCE', '', 'The resource exists already'],
  [93, 'UNACCEPTABLE_CREDENTIAL', '', 'The credential is not acceptable'],
  [94, 'INCONSISTENT_VOTER_SET', '', 'The voter set is another one'],
  [95, 'INVALID_UPDATE_VERSION', '', 'The version of the update is not allowed'],
  [96, 'FEATURE_UPDATE_FAILED', '', 'The feature update failed'],
  [97, 'PRINCIPAL_DESERIALIZATION_FAILURE', '', 'The principal cannot be read'],
  [98, 'SNAPSHOT_NOT_FOUND', '', 'No such snapshot'],
  [99, 'POSITION_OUT_OF_RANGE', '', 'The position is out of range'],
  [100, 'UNKNOWN_TOPIC_ID', 'refresh', 'No topic has this id'],
  [101, 'DUPLICATE_BROKER_REGISTRATION', '', 'A broker of this id is registered already'],
  [102, 'BROKER_ID_NOT_REGISTERED', '', 'The broker id is not registered'],
  [103, 'INCONSISTENT_TOPIC_ID', 'refresh', 'The topic id of the request is not the one of the log'],
  [104, 'INCONSISTENT_CLUSTER_ID', '', 'The cluster id is another one'],
  [105, 'TRANSACTIONAL_ID_NOT_FOUND', '', 'No such transactional id'],
  [106, 'FETCH_SESSION_TOPIC_ID_ERROR', 'retry', 'The fetch session switched between topic names and ids'],
  [107, 'INELIGIBLE_REPLICA', '', 'The replica may not join the in-sync set'],
  [108, 'NEW_LEADER_ELECTED', '', 'Another leader was elected meanwhile'],
  [109, 'OFFSET_MOVED_TO_TIERED_STORAGE', '', 'The offset has moved to tiered storage'],
  [110, 'FENCED_MEMBER_EPOCH', '', 'The member epoch is outdated'],
  [111, 'UNRELEASED_INSTANCE_ID', '', 'The instance id is still in use by another member'],
  [112, 'UNSUPPORTED_ASSIGNOR', '', 'The assignor is not supported'],
  [113, 'STALE_MEMBER_EPOCH', '', 'The member epoch is behind'],
  [114, 'MISMATCHED_ENDPOINT_TYPE', '', 'The request went to the wrong type of endpoint'],
  [115, 'UNSUPPORTED_ENDPOINT_TYPE', '', 'The endpoint type is not supported'],
  [116, 'UNKNOWN_CONTROLLER_ID', '', 'The controller id is unknown'],
  [117, 'UNKNOWN_SUBSCRIPTION_ID', '', 'No such telemetry subscription'],
  [118, 'TELEMETRY_TOO_LARGE', '', 'The telemetry is too large'],
  [119, 'INVALID_REGISTRATION', '', 'The registration of the broker is invalid'],
  [120, 'TRANSACTION_ABORTABLE', '', 'The transaction must be aborted'],
  [121, 'INVALID_RECORD_STATE', '', 'The record is in a state that does not allow this'],
  [122, 'SHARE_SESSION_NOT_FOUND', 'retry', 'No such share session'],
  [123, 'INVALID_SHARE_SESSION_EPOCH', 'retry', 'The epoch of the share session is another one'],
  [124, 'FENCED_STATE_EPOCH', '', 'The state epoch is outdated'],
  [125, 'INVALID_VOTER_KEY', '', 'The voter key is another one'],
  [126, 'DUPLICATE_VOTER', '', 'The voter exists already'],
  [127, 'VOTER_NOT_FOUND', '', 'No such voter'],
  [128, 'INVALID_REGULAR_EXPRESSION', '', 'The regular expression is invalid'],
  [129, 'REBOOTSTRAP_REQUIRED', '', 'The client must bootstrap anew'],
  [130, 'STREAMS_INVALID_TOPOLOGY', '', 'The topology is invalid'],
  [131, 'STREAMS_INVALID_TOPOLOGY_EPOCH', '', 'The topology epoch is invalid'],
  [132, 'STREAMS_TOPOLOGY_FENCED', '', 'The topology epoch is outdated'],
  [133, 'SHARE_SESSION_LIMIT_REACHED', 'retry', 'There are too many share sessions'],
] as const satisfies readonly (readonly [number, string, Reaction, string])[];

type Row = (typeof ROWS)[number];

/** The name of an error code, e.g. `NOT_LEADER_OR_FOLLOWER`. */
export type ErrorName = Row[1];

/** Number by name: `ErrorCode.NONE` is 0. */
export type ErrorCode = Row[0];
export const ErrorCode = Object.freeze(Object.fromEntries(ROWS.map((row) => [row[1], row[0]]))) as {
  readonly [R in Row as R[1]]: R[0];
};

/** One row of the table. */
export interface ProtocolError {
  readonly code: number;
  readonly name: ErrorName;
  /** Clients try again. */
  readonly retriable: boolean;
  /** Clients refresh their metadata before they try again. */
  readonly refresh: boolean;
  /** Plain English, without full stop. */
  readonly message: string;
}

/** All rows, by ascending code from -1. */
export const PROTOCOL_ERRORS: readonly ProtocolError[] = ROWS.map(([code, name, reaction, message]) => ({
  code,
  name,
  retriable: reaction !== '',
  refresh: reaction === 'refresh',
  message,
}));

/** The row of a code; an unknown code gives the row of UNKNOWN_SERVER_ERROR, as clients read it. */
export function protocolError(code: number): ProtocolError {
  // Codes are dense from -1, which a test checks.
  return PROTOCOL_ERRORS[code + 1] ?? PROTOCOL_ERRORS[0]!;
}

/** Name of a code, for logs and metrics. */
export function errorName(code: number): ErrorName {
  return protocolError(code).name;
}
