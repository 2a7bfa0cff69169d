/**
 * Records of `__consumer_offsets` that belong to classic groups, to and from bytes, in Kafka's formats: Kafka's own tools can read them.
 *
 *     key    int16 1 | group, topic, partition     a committed offset          key    int16 2 | group      a group
 *     value  int16 3 | offset, epoch, metadata …   null deletes it             value  int16 3 | members …  null deletes it
 *
 * An offset with a retention of its own (old clients) is written in value version 1, the only one that can say so; as in Kafka, its leader epoch is lost.
 */
import { decodeMessage, encodeMessage } from '../protocol/codec.ts';
import { MalformedError } from '../protocol/protocol-errors.ts';
import type { Decoded, Encodable, Fields, Message } from '../protocol/schema.ts';
import { groupMetadataKey, groupMetadataValue, offsetCommitKey, offsetCommitValue } from '../protocol/stored/offsets-topic.ts';

/** A committed offset of one partition. */
export interface CommittedOffset {
  /** What the client said; any number. */
  readonly offset: bigint;
  /** −1: unknown. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** Milliseconds since 1970. */
  readonly commitTimestampMs: number;
  /** When it is to be forgotten whatever its group does, in ms since 1970; −1: by the rule of the broker. */
  readonly expireTimestampMs: number;
}

/** A member in the record of its group. */
export interface StoredMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly rebalanceTimeoutMs: number;
  readonly sessionTimeoutMs: number;
  /** Its metadata for the protocol of the generation. */
  readonly subscription: Uint8Array;
  readonly assignment: Uint8Array;
}

/** A generation of a group, as stored once its leader has given the assignments, or once nobody is left. */
export interface StoredGroup {
  /** '' for a group that never had members. */
  readonly protocolType: string;
  readonly generation: number;
  /** Null without members. */
  readonly protocol: string | null;
  readonly leader: string | null;
  /** Since when the group is in the stored state, in ms since 1970; −1: unknown. */
  readonly stateSinceMs: number;
  readonly members: readonly StoredMember[];
}

export interface OffsetRecord {
  readonly kind: 'offset';
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  /** Null deletes the offset. */
  readonly value: CommittedOffset | null;
}

export interface GroupRecord {
  readonly kind: 'group';
  readonly groupId: string;
  /** Null deletes the group. */
  readonly value: StoredGroup | null;
}

export type CoordinatorRecord = OffsetRecord | GroupRecord;

/** Key and value as they stand in the log. */
export interface EncodedRecord {
  readonly key: Uint8Array;
  readonly value: Uint8Array | null;
}

const OFFSET_KEY_VERSION = 1;
const GROUP_KEY_VERSION = 2;
const OFFSET_VALUE_VERSION = 3;
const EXPIRING_OFFSET_VALUE_VERSION = 1;
const GROUP_VALUE_VERSION = 3;
const VERSION_BYTES = 2;

/** Encodes a record. */
export function encodeCoordinatorRecord(record: CoordinatorRecord): EncodedRecord {
  return record.kind === 'offset' ? encodeOffset(record) : encodeGroup(record);
}

/**
 * Decodes a record; null for a key that is not of classic groups, whatever it is.
 * @throws MalformedError for a value that is none of its key's: leaving it out would bring back an older one
 */
export function decodeCoordinatorRecord(key: Uint8Array | null, value: Uint8Array | null): CoordinatorRecord | null {
  const name = decodeKey(key);
  if (name === null) return null;
  const valueBytes = value === null ? null : bufferOf(value);
  if ('topic' in name) {
    const { group, topic, partition } = name;
    return { kind: 'offset', groupId: group, topic, partition, value: valueBytes === null ? null : decodeOffset(valueBytes) };
  }
  return { kind: 'group', groupId: name.group, value: valueBytes === null ? null : decodeGroup(valueBytes) };
}

function decodeKey(key: Uint8Array | null): { group: string } | { group: string; topic: string; partition: number } | null {
  if (key === null || key.length < VERSION_BYTES) return null;
  const bytes = bufferOf(key);
  const version = versionOf(bytes);
  if (version < 0 || version > GROUP_KEY_VERSION) return null;
  try {
    return decodeMessage(version === GROUP_KEY_VERSION ? groupMetadataKey : offsetCommitKey, version, bytes, VERSION_BYTES);
  } catch (error) {
    if (error instanceof MalformedError) return null;
    throw error;
  }
}

function encodeOffset({ groupId, topic, partition, value }: OffsetRecord): EncodedRecord {
  const key = framed(offsetCommitKey, OFFSET_KEY_VERSION, { group: groupId, topic, partition });
  if (value === null) return { key, value: null };
  const version = value.expireTimestampMs === -1 ? OFFSET_VALUE_VERSION : EXPIRING_OFFSET_VALUE_VERSION;
  const stored = {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestamp: value.commitTimestampMs,
    expireTimestamp: value.expireTimestampMs,
  };
  return { key, value: framed(offsetCommitValue, version, stored) };
}

function decodeOffset(bytes: Buffer): CommittedOffset {
  const value = decodeMessage(offsetCommitValue, versionOf(bytes), bytes, VERSION_BYTES);
  return {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestampMs: Number(value.commitTimestamp),
    expireTimestampMs: Number(value.expireTimestamp),
  };
}

function encodeGroup({ groupId, value }: GroupRecord): EncodedRecord {
  const key = framed(groupMetadataKey, GROUP_KEY_VERSION, { group: groupId });
  if (value === null) return { key, value: null };
  const stored = {
    protocolType: value.protocolType,
    generation: value.generation,
    protocol: value.protocol,
    leader: value.leader,
    currentStateTimestamp: value.stateSinceMs,
    members: value.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: member.subscription,
      assignment: member.assignment,
    })),
  };
  return { key, value: framed(groupMetadataValue, GROUP_VALUE_VERSION, stored) };
}

function decodeGroup(bytes: Buffer): StoredGroup {
  const value = decodeMessage(groupMetadataValue, versionOf(bytes), bytes, VERSION_BYTES);
  return {
    protocolType: value.protocolType,
    generation: value.generation,
    protocol: value.protocol,
    leader: value.leader,
    stateSinceMs: Number(value.currentStateTimestamp),
    members: value.members.map((member: Decoded<(typeof groupMetadataValue)['fields']>['members'][number]) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
      sessionTimeoutMs: member.sessionTimeout,
      // Copies: the bytes of the log are the caller's.
      subscription: Uint8Array.from(member.subscription),
      assignment: Uint8Array.from(member.assignment),
    })),
  };
}

/** The int16 version and the block. */
function framed<F extends Fields>(message: Message<F>, version: number, value: Encodable<F>): Buffer {
  const block = encodeMessage(message, version, value);
  const bytes = Buffer.allocUnsafe(VERSION_BYTES + block.length);
  bytes.writeInt16BE(version, 0);
  bytes.set(block, VERSION_BYTES);
  return bytes;
}

function versionOf(bytes: Buffer): number {
  if (bytes.length < VERSION_BYTES) throw new MalformedError('coordinator record', 'version', 0, `${bytes.length} bytes are no version`);
  return bytes.readInt16BE(0);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
