/** What main and the HTTP thread say to each other. Plain data. */
import type { MessagePort } from 'node:worker_threads';

/** How the broker is. */
export type BrokerState = 'starting' | 'running' | 'stopping' | 'failed';

/** `workerData` of the HTTP thread. */
export interface HttpWorkerData {
  readonly host: string;
  readonly port: number;
  readonly version: string;
  readonly nodeId: number;
  readonly dataDir: string;
  /** Names of APIs by key, for labels. */
  readonly apiNames: Readonly<Record<number, string>>;
  /** Cells of MAIN_METRICS. */
  readonly main: SharedArrayBuffer;
  readonly control: MessagePort;
}

/** Series of many of a kind: row `n` of `memory` has the labels `rows[n]`. Replaced as a whole when there are others, never changed. */
export interface SeriesMessage {
  readonly kind: 'series';
  readonly table: 'partitions' | 'groups' | 'members';
  readonly rows: readonly (readonly string[])[];
  readonly memory: SharedArrayBuffer;
  /** How many more there are. */
  readonly leftOut: number;
}

/** A shard as others may see it. */
export interface ShardMessage {
  readonly kind: 'shard';
  readonly name: string;
  /** Cells of SHARD_METRICS and of RING_METRICS. */
  readonly metrics: SharedArrayBuffer;
  readonly ring: SharedArrayBuffer;
  /** Why it takes no more appends, or null. */
  readonly failure: string | null;
}

/** Main → HTTP. */
export type ToHttp =
  | { readonly kind: 'state'; readonly state: BrokerState; readonly reason: string | null }
  /** Cells of REQUEST_METRICS, once there are requests. */
  | { readonly kind: 'requests'; readonly memory: SharedArrayBuffer }
  | ShardMessage
  | SeriesMessage;

/** HTTP → main: it listens, or cannot. */
export type FromHttp = { readonly kind: 'listening'; readonly port: number } | { readonly kind: 'refused'; readonly code: string };
