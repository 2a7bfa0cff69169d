/** What the broker's configuration says of groups, and limits that have no setting. */

/** Kafka's settings of the same names. */
export interface GroupSettings {
  /** group.initial.rebalance.delay.ms */
  readonly initialRebalanceDelayMs: number;
  /** group.min.session.timeout.ms */
  readonly sessionTimeoutMsMin: number;
  /** group.max.session.timeout.ms */
  readonly sessionTimeoutMsMax: number;
  /** group.max.size: members of one group. */
  readonly groupSizeMax: number;
  /** offset.metadata.max.bytes */
  readonly offsetMetadataBytesMax: number;
  /** offsets.retention.minutes, in ms. */
  readonly offsetsRetentionMs: number;
}

/**
 * How long a new member's JoinGroup may wait. It cannot be heard from meanwhile and may be gone: if it is still there, it asks again. Kafka's number.
 */
export const NEW_MEMBER_JOIN_MS_MAX = 5 * 60_000;

/** Protocols (assignors) that a member may offer. */
export const MEMBER_PROTOCOLS_MAX = 100;

/** Bytes of metadata that a member may bring for all of its protocols together. */
export const MEMBER_METADATA_BYTES_MAX = 1024 * 1024;

/** UTF-16 units of a group id, client id, instance id, protocol name or protocol type. As many stay below the protocol's 32,767 bytes whatever they are. */
export const TEXT_LENGTH_MAX = 10_000;
