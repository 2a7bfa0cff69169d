/**
 * Of the error codes that this broker answers: when it does, and what a person does about it. `generate-docs.mjs` makes a section of docs/ERRORS.md of it, and fails when the
 * sources name a code that is missing here, or a row names one that they do not.
 */

/** Name of the code, when, what to do. */
export const ADVICE = [
  [
    'UNKNOWN_SERVER_ERROR',
    'A bug, or a record in the log of the consumer groups that cannot be read.',
    "Look at the broker's log, and report it.",
  ],
  [
    'OFFSET_OUT_OF_RANGE',
    'Fetch or DeleteRecords of an offset that was deleted (retention, DeleteRecords), or beyond the end (a topic that was made anew; what page-cache lost with the power).',
    'Consumers go where auto.offset.reset says. For records that were deleted too early: retention.ms, retention.bytes.',
  ],
  [
    'CORRUPT_MESSAGE',
    'Produce: the CRC or the header of a batch is wrong. Fetch, ListOffsets: a batch on disk is damaged; it is not served.',
    'Produce: the client sends it again; if that goes on, look at the network and the client. Fetch: stop the broker, `ringlog log verify`; seek behind the damage.',
  ],
  [
    'UNKNOWN_TOPIC_OR_PARTITION',
    'There is no such topic or partition, or it is being deleted.',
    '`ringlog topic list`, `ringlog topic create`; auto.create.topics.enable makes topics for producers.',
  ],
  [
    'LEADER_NOT_AVAILABLE',
    'Metadata: the topic was made just now, or its shard could not open it.',
    'Nothing: clients ask again. If it lasts, the log says why the partition is offline.',
  ],
  ['NOT_LEADER_OR_FOLLOWER', 'The partition is being opened, or its shard is being changed.', 'Nothing: clients ask again.'],
  [
    'REQUEST_TIMED_OUT',
    'Produce: the partition remembers as many idempotent producers as it may; one request has more batches than its shard takes; a compressed batch could not be opened.',
    'Nothing: clients send it again. If it lasts: fewer producers, or ringlog.partition.producers.max and ringlog.producers.max.',
  ],
  [
    'MESSAGE_TOO_LARGE',
    'A batch has more bytes than max.message.bytes of its topic, or more than 128 MiB when it is opened.',
    'Smaller records or batches, or `ringlog topic alter TOPIC --set max.message.bytes=…` (and fetch sizes of consumers).',
  ],
  [
    'OFFSET_METADATA_TOO_LARGE',
    'A commit has more metadata than offset.metadata.max.bytes.',
    'Commit less metadata, or raise the setting.',
  ],
  ['COORDINATOR_LOAD_IN_PROGRESS', 'After a start: the groups of that partition are being read.', 'Nothing: clients ask again.'],
  [
    'COORDINATOR_NOT_AVAILABLE',
    'The topic of the groups is being made, or cannot be written or read; ringlog.groups.memory.bytes is taken; the broker stops; no producer id can be given out.',
    "Nothing: clients ask again. If it lasts, the broker's log says why.",
  ],
  [
    'NOT_COORDINATOR',
    'Nobody has asked for a coordinator yet, or its partition is offline.',
    'Nothing: clients look for it and ask again.',
  ],
  [
    'INVALID_TOPIC_EXCEPTION',
    'A name that is not allowed or collides with another; a client that writes to, or changes, a topic of the broker.',
    'Another name: at most 249 of a-z A-Z 0-9 . _ -',
  ],
  ['RECORD_LIST_TOO_LARGE', 'A batch is larger than a segment.', 'Smaller batches, or a larger segment.bytes.'],
  ['INVALID_REQUIRED_ACKS', 'acks is neither 0, 1 nor -1.', 'Mend the client.'],
  [
    'ILLEGAL_GENERATION',
    'A member speaks for a generation of its group that is over: it took too long.',
    'Clients join again; what they had not committed is read again.',
  ],
  ['INCONSISTENT_GROUP_PROTOCOL', 'A member has no assignor in common with its group.', 'Give all members of a group the same assignor.'],
  ['INVALID_GROUP_ID', 'The group id is empty where one is needed, or too long.', 'Set group.id.'],
  [
    'UNKNOWN_MEMBER_ID',
    'A member was put out of its group: no heartbeat for its session timeout, too late for a rebalance, or a restart that did not know it yet.',
    'Clients join again. If it happens often: a longer session.timeout.ms or max.poll.interval.ms, less work in one poll.',
  ],
  [
    'INVALID_SESSION_TIMEOUT',
    'The session timeout is outside of group.min.session.timeout.ms … group.max.session.timeout.ms.',
    'Change session.timeout.ms of the client, or these settings.',
  ],
  [
    'REBALANCE_IN_PROGRESS',
    'The group gives its partitions out anew.',
    'Clients join again. A commit that came too late is refused with it: its records are read again.',
  ],
  [
    'INVALID_COMMIT_OFFSET_SIZE',
    'One commit is larger than a batch of the log of the groups may be.',
    'Commit fewer partitions at a time.',
  ],
  [
    'INVALID_TIMESTAMP',
    'A record lies outside of message.timestamp.before.max.ms and message.timestamp.after.max.ms.',
    "Put the producer's clock right, or change the settings of the topic.",
  ],
  [
    'UNSUPPORTED_VERSION',
    'ApiVersions in an unknown version; transactions; a question that this version of the API does not have.',
    'Clients choose another version. Transactions are not there yet.',
  ],
  ['TOPIC_ALREADY_EXISTS', 'CreateTopics of a topic that is there.', '`ringlog topic create --if-not-exists`.'],
  [
    'INVALID_PARTITIONS',
    'Fewer than one partition, as many as there are, fewer than there are, or more than the broker takes in all.',
    'Partitions can only be added.',
  ],
  ['INVALID_REPLICATION_FACTOR', 'More copies than brokers: there is one.', 'A replication factor of 1, or -1 for the default.'],
  ['INVALID_REPLICA_ASSIGNMENT', 'Replicas on brokers that do not exist.', 'Leave the assignment to the broker.'],
  [
    'INVALID_CONFIG',
    'An unknown setting, a bad value, or one that is not applied yet.',
    'The message names it and what would be right; CONFIG.md has them all.',
  ],
  [
    'INVALID_REQUEST',
    'A request that contradicts itself; a change of broker settings that is refused.',
    'The message, where there is one, says why; else mend the client.',
  ],
  [
    'POLICY_VIOLATION',
    'DeleteRecords of a topic without cleanup.policy delete; too many topics or partitions in one request.',
    'Add delete to cleanup.policy; ask for fewer.',
  ],
  [
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    'A batch of an idempotent producer that leaves a gap or is older than the last five: one before it was lost or refused.',
    'The producer ends or begins anew with another id, as its client has it. See SEMANTICS.md.',
  ],
  ['INVALID_PRODUCER_EPOCH', 'A batch of an idempotent producer with an epoch that is over.', 'The producer begins anew.'],
  ['INVALID_TXN_STATE', 'A transactional batch: transactions are not there yet.', 'A producer without transactional.id.'],
  ['INVALID_PRODUCER_ID_MAPPING', 'A producer id larger than any that is given out.', 'Mend the client.'],
  [
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    'The coordinator of a transaction is asked for in an old version: transactions are not there yet.',
    'A producer without transactional.id.',
  ],
  [
    'KAFKA_STORAGE_ERROR',
    'The disk is full or fails; a sync failed; a segment cannot be read; the partition could not be opened.',
    'Look at the log and at free space. After a failed sync the broker has to be started again: OPERATIONS.md.',
  ],
  ['NON_EMPTY_GROUP', 'A group with members is to be deleted.', 'Stop its members first.'],
  ['GROUP_ID_NOT_FOUND', 'There is no such group.', '`ringlog group list`.'],
  ['GROUP_MAX_SIZE_REACHED', 'The group has group.max.size members.', 'Fewer members, or a larger setting.'],
  ['GROUP_SUBSCRIBED_TO_TOPIC', 'Offsets of a topic that the group is reading are to be deleted.', 'Stop its members first.'],
  ['MEMBER_ID_REQUIRED', 'The first JoinGroup of a member: it is given an id.', 'Nothing: it belongs to the protocol.'],
  ['FENCED_INSTANCE_ID', 'Another member has joined with the same group.instance.id.', 'Give each member its own.'],
  ['FENCED_LEADER_EPOCH', 'A client knows an older leader epoch.', 'Nothing: clients refresh their metadata.'],
  [
    'UNKNOWN_LEADER_EPOCH',
    'A client knows a newer leader epoch than the broker: the data folder was set back.',
    'If you have restored a backup: start the clients again.',
  ],
  ['UNSUPPORTED_COMPRESSION_TYPE', 'An unknown codec, or zstd in a Produce older than version 7.', 'Another codec, or a newer client.'],
  ['FETCH_SESSION_ID_NOT_FOUND', 'A fetch session ended because slots were short or it was not used.', 'Nothing: clients begin another.'],
  ['INVALID_FETCH_SESSION_EPOCH', 'A fetch of a session came out of order.', 'Nothing: clients begin another.'],
  ['FETCH_SESSION_TOPIC_ID_ERROR', 'A fetch session switched between names and ids of topics.', 'Nothing: clients begin another.'],
  ['UNKNOWN_TOPIC_ID', 'No topic has this id: it was deleted, and perhaps made anew.', 'Nothing: clients refresh their metadata.'],
  [
    'INVALID_RECORD',
    'Records do not fit the header of their batch, or a compacted topic is given a record without key.',
    'The message names the record. Compacted topics want keys.',
  ],
  ['MISMATCHED_ENDPOINT_TYPE', 'DescribeCluster asks for controllers at a port for brokers.', 'Ask for brokers.'],
  ['UNSUPPORTED_ENDPOINT_TYPE', 'DescribeCluster asks for an unknown kind of endpoint.', 'Ask for brokers.'],
];

/** Names that occur in the sources, and are never answered to a client. */
export const NOT_ANSWERED = new Map([
  ['NONE', 'is no error'],
  ['DUPLICATE_SEQUENCE_NUMBER', 'is answered as a success, with the offset of the first time'],
  ['NOT_ENOUGH_REPLICAS', 'is translated for groups, should it ever come'],
  ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'is translated for groups, should it ever come'],
]);

/** What keeps the table and the names found in the sources from being the same, as lines. */
export function differences(named) {
  const rows = ADVICE.map(([name]) => name);
  return [
    ...[...named]
      .filter((name) => !rows.includes(name) && !NOT_ANSWERED.has(name))
      .map((name) => `${name} is answered, and .ci/error-advice.mjs does not have it`),
    ...rows.filter((name) => !named.has(name)).map((name) => `${name} has a row in .ci/error-advice.mjs, and nothing in src/ names it`),
    ...rows.filter((name, at) => rows.indexOf(name) !== at).map((name) => `${name} has two rows in .ci/error-advice.mjs`),
  ];
}
