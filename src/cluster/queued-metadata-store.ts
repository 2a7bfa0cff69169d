/**
 * What the memory store and the embedded store have in common: transactions wait in one queue; what waits is prepared together, made
 * durable together (`persist`), and only then applied, shown to watchers and answered. So nobody sees a change that a crash could take
 * back, and many concurrent changes share one disk sync.
 */

import { assert } from '../lib/assert.ts';
import {
  changeUnder,
  decodeEntry,
  encodeTransaction,
  type EncodedTransaction,
  type MetadataState,
  type StoredRevision,
} from './metadata-state.ts';
import {
  MetadataStoreError,
  type LeaseId,
  type MetadataEntry,
  type MetadataListing,
  type MetadataStore,
  type MetadataTransaction,
  type MetadataWatch,
  type MetadataWatcher,
  type PutOptions,
  type TransactionResult,
} from './metadata-store.ts';

/** Time for leases. The simulator gives its own. */
export interface MetadataClock {
  /** Monotonic. */
  nowMs(): number;
  /** Calls `callback` once after `delayMs`; the returned function cancels. Must not keep the process alive. */
  schedule(delayMs: number, callback: () => void): () => void;
}

export const SYSTEM_METADATA_CLOCK: MetadataClock = {
  nowMs: () => performance.now(),
  schedule: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return () => clearTimeout(timer);
  },
};

interface Waiting {
  readonly transaction: EncodedTransaction;
  readonly resolve: (result: TransactionResult) => void;
  readonly reject: (error: Error) => void;
}

interface Lease {
  readonly ttlMs: number;
  endsMs: number;
  cancel: () => void;
}

interface Watching {
  readonly prefix: string;
  /** Revisions below were delivered, or are of no interest. */
  nextRevision: number;
  readonly watcher: MetadataWatcher;
}

/** Transactions made durable together. */
const GROUP_TRANSACTIONS_MAX = 256;
/** Waiting transactions before new ones are refused. */
const QUEUE_TRANSACTIONS_MAX = 10_000;

export abstract class QueuedMetadataStore implements MetadataStore {
  readonly #state: MetadataState;
  readonly #clock: MetadataClock;
  #waiting: Waiting[] = [];
  /** Resolves when the queue has been worked off; undefined while nothing is under way. */
  #working: Promise<void> | undefined;
  readonly #watching = new Set<Watching>();
  readonly #leases = new Map<LeaseId, Lease>();
  #nextLease = 1;
  /** Why nothing more is taken; undefined while the store works. */
  #ended: MetadataStoreError | undefined;

  protected constructor(state: MetadataState, clock: MetadataClock) {
    this.#state = state;
    this.#clock = clock;
  }

  /**
   * Makes the revisions durable, all or none, in order. After a rejection with `outcomeUnknown` the store takes nothing more, because what
   * it holds in memory may no longer be what is on disk.
   */
  protected abstract persist(revisions: readonly StoredRevision[]): Promise<void>;

  /** Frees what `persist` works with. */
  protected abstract release(): Promise<void>;

  async get(key: string): Promise<MetadataEntry | undefined> {
    this.#mustWork();
    const entry = this.#state.get(key);
    return entry && decodeEntry(entry);
  }

  async list(prefix: string): Promise<MetadataListing> {
    this.#mustWork();
    return { revision: this.#state.revision, entries: this.#state.list(prefix).map(decodeEntry) };
  }

  async put(key: string, value: unknown, options: PutOptions = {}): Promise<TransactionResult> {
    const compare = options.ifRevision === undefined ? [] : [{ key, modRevision: options.ifRevision }];
    return this.transaction({ compare, puts: [{ key, value, ...(options.lease === undefined ? {} : { lease: options.lease }) }] });
  }

  async delete(key: string, options: { readonly ifRevision?: number } = {}): Promise<TransactionResult> {
    const compare = options.ifRevision === undefined ? [] : [{ key, modRevision: options.ifRevision }];
    return this.transaction({ compare, deletes: [key] });
  }

  async transaction(transaction: MetadataTransaction): Promise<TransactionResult> {
    this.#mustWork();
    for (const { lease } of transaction.puts ?? []) {
      if (lease !== undefined && !this.#leases.has(lease)) throw new MetadataStoreError(`lease ${lease} has ended`);
    }
    return this.#enqueue(encodeTransaction(transaction));
  }

  watch(prefix: string, fromRevision: number, watcher: MetadataWatcher): MetadataWatch {
    this.#mustWork();
    const watching: Watching = { prefix, nextRevision: fromRevision, watcher };
    const missed = this.#state.since(fromRevision);
    if (missed === undefined) {
      queueMicrotask(() => watcher.onLost?.(new MetadataStoreError(`changes since revision ${fromRevision} are no longer kept`)));
      return { close: () => undefined };
    }
    this.#watching.add(watching);
    // Not from within this call: the caller may not have stored the watch yet. Changes that commit before the microtask are in `since` as
    // well.
    queueMicrotask(() => {
      for (const revision of this.#state.since(watching.nextRevision) ?? []) this.#deliver(watching, revision);
    });
    return { close: () => void this.#watching.delete(watching) };
  }

  async grantLease(ttlMs: number): Promise<LeaseId> {
    this.#mustWork();
    assert(Number.isFinite(ttlMs) && ttlMs > 0, `a lease of ${ttlMs} ms`);
    const id = this.#nextLease++;
    const lease: Lease = { ttlMs, endsMs: this.#clock.nowMs() + ttlMs, cancel: () => undefined };
    this.#leases.set(id, lease);
    this.#scheduleEnd(id, lease);
    return id;
  }

  async keepAlive(id: LeaseId): Promise<boolean> {
    this.#mustWork();
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    if (lease.endsMs <= this.#clock.nowMs()) {
      await this.revokeLease(id);
      return false;
    }
    lease.endsMs = this.#clock.nowMs() + lease.ttlMs;
    return true;
  }

  async revokeLease(id: LeaseId): Promise<void> {
    this.#mustWork();
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    lease.cancel();
    this.#leases.delete(id);
    await this.#enqueue({ compare: [], puts: [], deletes: [], endsLease: id });
  }

  async close(): Promise<void> {
    const first = this.#ended === undefined;
    this.#ended ??= new MetadataStoreError('the metadata store is closed');
    for (const lease of this.#leases.values()) lease.cancel();
    this.#leases.clear();
    this.#watching.clear();
    while (this.#working !== undefined) await this.#working;
    if (first || !this.#released) {
      this.#released = true;
      await this.release();
    }
  }
  #released = false;

  #mustWork(): void {
    if (this.#ended !== undefined) throw this.#ended;
  }

  #enqueue(transaction: EncodedTransaction): Promise<TransactionResult> {
    if (this.#waiting.length >= QUEUE_TRANSACTIONS_MAX)
      return Promise.reject(new MetadataStoreError('too many metadata changes are waiting'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ transaction, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  async #work(): Promise<void> {
    // Whatever is asked for in the same turn joins the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting.splice(0, GROUP_TRANSACTIONS_MAX);
      await this.#workGroup(group);
    }
    this.#working = undefined;
  }

  async #workGroup(group: readonly Waiting[]): Promise<void> {
    const ahead: StoredRevision[] = [];
    const answers = group.map(({ transaction }): (() => TransactionResult) => {
      const prepared = this.#state.prepare(transaction, ahead);
      if ('conflicts' in prepared) {
        return () => ({ committed: false, revision: this.#state.revision, conflicts: prepared.conflicts });
      }
      if (prepared.next === undefined) return () => ({ committed: true, revision: this.#state.revision });
      ahead.push(prepared.next);
      const { revision } = prepared.next;
      return () => ({ committed: true, revision });
    });
    try {
      if (ahead.length > 0) await this.persist(ahead);
    } catch (error) {
      this.#onPersistFailed(group, error);
      return;
    }
    for (const revision of ahead) {
      this.#state.apply(revision);
      for (const watching of this.#watching) this.#deliver(watching, revision);
    }
    group.forEach((waiting, index) => waiting.resolve(answers[index]!()));
  }

  #onPersistFailed(group: readonly Waiting[], error: unknown): void {
    const failure =
      error instanceof MetadataStoreError
        ? error
        : new MetadataStoreError(`the metadata store failed: ${String(error)}`, { cause: error, outcomeUnknown: true });
    for (const waiting of group) waiting.reject(failure);
    if (!failure.outcomeUnknown) return;
    this.#ended ??= failure;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new MetadataStoreError(failure.message, { cause: failure }));
    for (const { watcher } of this.#watching) watcher.onLost?.(failure);
    this.#watching.clear();
  }

  #deliver(watching: Watching, revision: StoredRevision): void {
    if (!this.#watching.has(watching) || revision.revision < watching.nextRevision) return;
    watching.nextRevision = revision.revision + 1;
    const change = changeUnder(watching.prefix, revision);
    if (change !== undefined) watching.watcher.onChange(change);
  }

  #scheduleEnd(id: LeaseId, lease: Lease): void {
    lease.cancel = this.#clock.schedule(lease.endsMs - this.#clock.nowMs(), () => {
      if (!this.#leases.has(id)) return;
      if (lease.endsMs > this.#clock.nowMs()) this.#scheduleEnd(id, lease);
      else this.revokeLease(id).catch(() => undefined); // the store has ended, and every lease with it
    });
  }
}
