/** What the commands say to a broker and hear from it: plain data, none of it a client library's. Offsets are numbers: all below 2^53. */

/** How to reach a cluster. */
export interface Connection {
  /** `host:port`, several with commas between them. */
  readonly bootstrap: string;
  readonly tls: boolean;
  /** `mechanism:user:password`, e.g. `PLAIN:alice:secret`. */
  readonly sasl?: string | undefined;
  /** How long one request may take, ms. */
  readonly timeoutMs: number;
}

export interface Node {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

export interface Cluster {
  readonly clusterId: string;
  readonly controllerId: number;
  readonly nodes: readonly Node[];
}

export interface TopicPartition {
  readonly partition: number;
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
}

export interface Topic {
  readonly name: string;
  readonly id: string;
  readonly partitions: readonly TopicPartition[];
}

export interface Setting {
  readonly name: string;
  readonly value: string | null;
  /** Set for this very resource, not inherited. */
  readonly own: boolean;
  readonly readOnly: boolean;
}

export interface NewTopic {
  readonly name: string;
  /** −1: the broker's default. */
  readonly partitions: number;
  /** −1: the broker's default. */
  readonly replicationFactor: number;
  readonly settings: ReadonlyMap<string, string>;
}

/** Where to look in a partition: its ends, or the first record from a time on (ms since the epoch). */
export type OffsetWish = 'earliest' | 'latest' | number;

export interface OutgoingRecord {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer])[];
  /** Chosen by the key, or in turn, when undefined. */
  readonly partition?: number | undefined;
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
/** Who has to have the records before they count as sent: nobody, the leader, all in-sync replicas. */
export type Acks = 0 | 1 | -1;

/** Where the first of some records went; empty with `acks` 0. */
export interface Placed {
  readonly partition: number;
  readonly offset: number;
}

export interface IncomingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** ms since the epoch; −1 unknown. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [name: string, value: Buffer | null])[];
}

export interface Fetched {
  readonly records: readonly IncomingRecord[];
  /** Offset to go on from, by partition; only of partitions that went on. */
  readonly next: ReadonlyMap<number, number>;
}

export interface Group {
  readonly id: string;
  readonly state: string;
  readonly protocolType: string;
}

export interface GroupMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly host: string;
  readonly assigned: readonly { readonly topic: string; readonly partitions: readonly number[] }[];
}

export interface DescribedGroup extends Group {
  readonly assignor: string;
  readonly members: readonly GroupMember[];
}

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}
