/**
 * Where brokers keep what they agree on. The shape is etcd's: one revision counts all changes, every key knows the revision that last
 * changed it, a transaction compares such revisions and then changes several keys at once, and a watch delivers changes in order from a
 * revision on.
 */

import { UserError } from '../lib/user-error.ts';

/** A key as of one revision. `value` is a fresh copy: changing it changes nothing in the store. */
export interface MetadataEntry {
  readonly key: string;
  readonly value: unknown;
  /** Revision at which the key came to be. */
  readonly createRevision: number;
  /** Revision of the last change; createRevision ≤ modRevision ≤ revision of the store. */
  readonly modRevision: number;
}

export interface MetadataListing {
  /** The revision that this listing shows. Watch from `revision + 1` to miss nothing. */
  readonly revision: number;
  /** In key order. */
  readonly entries: readonly MetadataEntry[];
}

/** Holds when the key's modRevision is this; 0 means that the key does not exist. */
export interface MetadataCompare {
  readonly key: string;
  readonly modRevision: number;
}

export interface MetadataPut {
  readonly key: string;
  /** Any plain data: objects, arrays, strings, numbers, booleans, null, Uint8Array. */
  readonly value: unknown;
  /** The key goes when this lease ends. */
  readonly lease?: LeaseId;
}

/** All or nothing: if every compare holds, all puts and deletes happen at one revision. A key may be changed once in a transaction. */
export interface MetadataTransaction {
  readonly compare?: readonly MetadataCompare[];
  readonly puts?: readonly MetadataPut[];
  readonly deletes?: readonly string[];
}

export type TransactionResult =
  | { readonly committed: true; readonly revision: number }
  /** Nothing was changed. `conflicts` are the keys whose compare did not hold. */
  | { readonly committed: false; readonly revision: number; readonly conflicts: readonly string[] };

export type MetadataEvent =
  { readonly type: 'put'; readonly key: string; readonly entry: MetadataEntry } | { readonly type: 'delete'; readonly key: string };

/** The changes of one revision under a watched prefix. */
export interface MetadataChange {
  readonly revision: number;
  readonly events: readonly MetadataEvent[];
}

export interface MetadataWatcher {
  /** In revision order, each revision once, and never before it is durable. Must not throw. */
  onChange(change: MetadataChange): void;
  /** The watch has ended: history from the wanted revision on is gone, or the store failed. List again and start anew. */
  onLost?(reason: Error): void;
}

export interface MetadataWatch {
  close(): void;
}

export type LeaseId = number;

export interface PutOptions {
  /** Only if the key's modRevision is this; 0: only if the key does not exist. */
  readonly ifRevision?: number;
  readonly lease?: LeaseId;
}

export interface MetadataStore {
  /** The key as of now, or undefined. */
  get(key: string): Promise<MetadataEntry | undefined>;
  /** Every key that starts with `prefix`, at one revision. */
  list(prefix: string): Promise<MetadataListing>;
  put(key: string, value: unknown, options?: PutOptions): Promise<TransactionResult>;
  delete(key: string, options?: { readonly ifRevision?: number }): Promise<TransactionResult>;
  /**
   * Resolves once the outcome is durable. Rejects with {@link MetadataStoreError}; then, unless `outcomeUnknown` is set, nothing was
   * changed.
   */
  transaction(transaction: MetadataTransaction): Promise<TransactionResult>;
  /** Delivers changes of keys under `prefix` at revisions ≥ `fromRevision`. */
  watch(prefix: string, fromRevision: number, watcher: MetadataWatcher): MetadataWatch;
  /** A promise to be alive: it ends `ttlMs` after the last keep-alive by a monotonic clock, and takes its keys with it. */
  grantLease(ttlMs: number): Promise<LeaseId>;
  /** Starts the lease's time anew. False: it has ended. */
  keepAlive(lease: LeaseId): Promise<boolean>;
  /** Ends the lease now. */
  revokeLease(lease: LeaseId): Promise<void>;
  /** Waits for what is under way; every later call rejects. */
  close(): Promise<void>;
}

export interface MetadataStoreErrorOptions extends ErrorOptions {
  /** The change may or may not have happened: read again, never just retry. */
  readonly outcomeUnknown?: boolean;
}

/** The store cannot do what was asked. */
export class MetadataStoreError extends UserError {
  override name = 'MetadataStoreError';
  readonly outcomeUnknown: boolean;

  constructor(message: string, options: MetadataStoreErrorOptions = {}) {
    super(message, options);
    this.outcomeUnknown = options.outcomeUnknown ?? false;
  }
}

/** What is stored cannot be trusted, so the store does not open. One line that names the place. */
export class MetadataCorruptError extends MetadataStoreError {
  override name = 'MetadataCorruptError';
}

/** Longest key, in UTF-8 bytes. */
export const METADATA_KEY_BYTES_MAX = 512;

/** Largest encoded value. etcd's own limit for a request is 1.5 MiB. */
export const METADATA_VALUE_BYTES_MAX = 1024 * 1024;

/** Most changes in one transaction; etcd's default limit. */
export const METADATA_TRANSACTION_CHANGES_MAX = 128;
