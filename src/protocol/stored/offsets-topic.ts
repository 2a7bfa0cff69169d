/**
 * Keys and values of `__consumer_offsets`. A record key is an int16, the number in the name's comment, and then the key block;
 * a record value is an int16 value version and then the value block. A null value deletes the entry.
 */

import { array, bytes, int32, int64, int8, message, string, struct, uuid } from '../schema.ts';

/** Record keys starting with 0-1. */
export const offsetCommitKey = message('OffsetCommitKey', '0-1', '', {
  group: string(),
  topic: string(),
  partition: int32(),
});

export const offsetCommitValue = message('OffsetCommitValue', '0-4', '4+', {
  offset: int64(),
  leaderEpoch: int32('3+ default=-1 ignorable'),
  metadata: string(),
  commitTimestamp: int64(),
  expireTimestamp: int64('1 default=-1 ignorable'),
  topicId: uuid('4+ tag=0 ignorable'),
});

/** Record keys starting with 2. */
export const groupMetadataKey = message('GroupMetadataKey', '2', '', {
  group: string(),
});

export const groupMetadataValue = message('GroupMetadataValue', '0-4', '4+', {
  protocolType: string(),
  generation: int32(),
  protocol: string('nullable'),
  leader: string('nullable'),
  currentStateTimestamp: int64('2+ default=-1 ignorable'),
  members: array({
    memberId: string(),
    groupInstanceId: string('3+ nullable default=null ignorable'),
    clientId: string(),
    clientHost: string(),
    rebalanceTimeout: int32('1+ default=-1 ignorable'),
    sessionTimeout: int32(),
    subscription: bytes(),
    assignment: bytes(),
  }),
});

/** Record keys starting with 3. */
export const consumerGroupMetadataKey = message('ConsumerGroupMetadataKey', '3', '', {
  groupId: string(),
});

export const consumerGroupMetadataValue = message('ConsumerGroupMetadataValue', '0', '0+', {
  epoch: int32(),
  metadataHash: int64('tag=0 ignorable'),
  creationTimeMs: int64('tag=1 default=-1 ignorable'),
});

/** Record keys starting with 4. */
export const consumerGroupPartitionMetadataKey = message('ConsumerGroupPartitionMetadataKey', '4', '', {
  groupId: string(),
});

export const consumerGroupPartitionMetadataValue = message('ConsumerGroupPartitionMetadataValue', '0', '0+', {
  topics: array({
    topicId: uuid(),
    topicName: string(),
    numPartitions: int32(),
    partitionMetadata: array({
      partition: int32(),
      racks: array(string),
    }),
  }),
});

/** Record keys starting with 5. */
export const consumerGroupMemberMetadataKey = message('ConsumerGroupMemberMetadataKey', '5', '', {
  groupId: string(),
  memberId: string(),
});

export const consumerGroupMemberMetadataValue = message('ConsumerGroupMemberMetadataValue', '0', '0+', {
  instanceId: string('nullable'),
  rackId: string('nullable'),
  clientId: string(),
  clientHost: string(),
  subscribedTopicNames: array(string),
  subscribedTopicRegex: string('nullable'),
  rebalanceTimeoutMs: int32('default=-1'),
  serverAssignor: string('nullable'),
  classicMemberMetadata: struct('nullable tag=0 default=null', {
    sessionTimeoutMs: int32(),
    supportedProtocols: array({
      name: string(),
      metadata: bytes(),
    }),
  }),
});

/** Record keys starting with 6. */
export const consumerGroupTargetAssignmentMetadataKey = message('ConsumerGroupTargetAssignmentMetadataKey', '6', '', {
  groupId: string(),
});

export const consumerGroupTargetAssignmentMetadataValue = message('ConsumerGroupTargetAssignmentMetadataValue', '0', '0+', {
  assignmentEpoch: int32(),
});

/** Record keys starting with 7. */
export const consumerGroupTargetAssignmentMemberKey = message('ConsumerGroupTargetAssignmentMemberKey', '7', '', {
  groupId: string(),
  memberId: string(),
});

export const consumerGroupTargetAssignmentMemberValue = message('ConsumerGroupTargetAssignmentMemberValue', '0', '0+', {
  topicPartitions: array({
    topicId: uuid(),
    partitions: array(int32),
  }),
});

/** Record keys starting with 8. */
export const consumerGroupCurrentMemberAssignmentKey = message('ConsumerGroupCurrentMemberAssignmentKey', '8', '', {
  groupId: string(),
  memberId: string(),
});

export const consumerGroupCurrentMemberAssignmentValue = message('ConsumerGroupCurrentMemberAssignmentValue', '0', '0+', {
  memberEpoch: int32(),
  previousMemberEpoch: int32(),
  state: int8(),
  assignedPartitions: array({
    topicId: uuid(),
    partitions: array(int32),
    assignmentEpochs: array('nullable tag=0 default=null ignorable', int32),
  }),
  partitionsPendingRevocation: array({
    topicId: uuid(),
    partitions: array(int32),
    assignmentEpochs: array('nullable tag=0 default=null ignorable', int32),
  }),
});

/** Record keys starting with 16. */
export const consumerGroupRegularExpressionKey = message('ConsumerGroupRegularExpressionKey', '16', '', {
  groupId: string(),
  regularExpression: string(),
});

export const consumerGroupRegularExpressionValue = message('ConsumerGroupRegularExpressionValue', '0', '0+', {
  topics: array(string),
  version: int64(),
  timestamp: int64(),
});
