/**
 * The state of a metadata store in memory, pure: which changes a transaction makes (`prepare`), and what holds after them (`apply`). What
 * lies between the two, making the changes durable, is the store's part. Values stay encoded, so nobody can change one by keeping a
 * reference to it.
 */

import { Packr } from 'msgpackr/pack';
import { assert } from '../lib/assert.ts';
import {
  METADATA_KEY_BYTES_MAX,
  METADATA_TRANSACTION_CHANGES_MAX,
  METADATA_VALUE_BYTES_MAX,
  type LeaseId,
  type MetadataChange,
  type MetadataCompare,
  type MetadataEntry,
  type MetadataEvent,
  type MetadataTransaction,
} from './metadata-store.ts';

/** useRecords off: every value can be decoded by itself, by any MessagePack reader. */
const packr = new Packr({ useRecords: false, int64AsType: 'number' });

/** A stored key. createRevision ≤ modRevision. */
export interface StoredEntry {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly lease: LeaseId | undefined;
}

/** One key's change: `after` undefined means deleted. `before` is what it replaces. */
export interface StoredChange {
  readonly key: string;
  readonly before: StoredEntry | undefined;
  readonly after: StoredEntry | undefined;
}

/** The changes of one revision. */
export interface StoredRevision {
  readonly revision: number;
  readonly changes: readonly StoredChange[];
}

/** A transaction whose values are encoded and whose limits hold. */
export interface EncodedTransaction {
  readonly compare: readonly MetadataCompare[];
  readonly puts: readonly { readonly key: string; readonly bytes: Uint8Array; readonly lease: LeaseId | undefined }[];
  readonly deletes: readonly string[];
  /** A lease that ends here: every key under it is deleted. */
  readonly endsLease?: LeaseId;
}

export type Prepared = { readonly conflicts: readonly string[] } | { readonly next: StoredRevision | undefined };

/** Revisions that a late watcher can still be given. */
const HISTORY_REVISIONS_MAX = 1024;

/** Encodes and checks what the caller gave. Throws on a broken limit or a key changed twice: both are bugs of the caller. */
export function encodeTransaction(transaction: MetadataTransaction): EncodedTransaction {
  const puts = (transaction.puts ?? []).map(({ key, value, lease }) => ({ key, bytes: encodeValue(key, value), lease }));
  const deletes = transaction.deletes ?? [];
  const keys = [...puts.map(({ key }) => key), ...deletes];
  assert(keys.length <= METADATA_TRANSACTION_CHANGES_MAX, `a metadata transaction of ${keys.length} changes`);
  assert(new Set(keys).size === keys.length, 'a metadata transaction changes a key twice');
  for (const key of keys) assertKey(key);
  return { compare: transaction.compare ?? [], puts, deletes };
}

export function decodeEntry(entry: StoredEntry): MetadataEntry {
  return { key: entry.key, value: packr.unpack(entry.bytes), createRevision: entry.createRevision, modRevision: entry.modRevision };
}

function encodeValue(key: string, value: unknown): Uint8Array {
  // A copy: packr hands out a view of a buffer that it goes on using.
  const bytes = Uint8Array.from(packr.pack(value));
  assert(bytes.length <= METADATA_VALUE_BYTES_MAX, `the value of ${key} has ${bytes.length} bytes`);
  return bytes;
}

function assertKey(key: string): void {
  assert(
    key.length > 0 && Buffer.byteLength(key) <= METADATA_KEY_BYTES_MAX && !key.includes('\0'),
    `not a metadata key: ${key.slice(0, 80)}`,
  );
}

export class MetadataState {
  #revision: number;
  readonly #entries: Map<string, StoredEntry>;
  /** The last revisions, oldest first, without gaps. */
  readonly #history: StoredRevision[] = [];

  constructor(revision = 0, entries: Iterable<StoredEntry> = []) {
    this.#revision = revision;
    this.#entries = new Map([...entries].map((entry) => [entry.key, entry]));
  }

  get revision(): number {
    return this.#revision;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): StoredEntry | undefined {
    return this.#entries.get(key);
  }

  /** Entries under `prefix`, in key order. */
  list(prefix: string): StoredEntry[] {
    const found: StoredEntry[] = [];
    for (const entry of this.#entries.values()) {
      if (entry.key.startsWith(prefix)) found.push(entry);
    }
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  /**
   * What `transaction` would change if everything in `ahead` (prepared, not yet applied, in order) had been applied. Changes nothing.
   * `next` is undefined when the transaction changes nothing at all: then it takes no revision.
   */
  prepare(transaction: EncodedTransaction, ahead: readonly StoredRevision[]): Prepared {
    const pending = new Map<string, StoredEntry | undefined>();
    for (const { changes } of ahead) for (const { key, after } of changes) pending.set(key, after);
    const current = (key: string): StoredEntry | undefined => (pending.has(key) ? pending.get(key) : this.#entries.get(key));

    const conflicts = transaction.compare.filter(({ key, modRevision }) => (current(key)?.modRevision ?? 0) !== modRevision);
    if (conflicts.length > 0) return { conflicts: conflicts.map(({ key }) => key) };

    const revision = this.#revision + ahead.length + 1;
    const changes: StoredChange[] = [];
    for (const { key, bytes, lease } of transaction.puts) {
      const before = current(key);
      const after = { key, bytes, createRevision: before?.createRevision ?? revision, modRevision: revision, lease };
      changes.push({ key, before, after });
    }
    const deletes = transaction.endsLease === undefined ? transaction.deletes : this.#keysOfLease(transaction.endsLease, pending);
    for (const key of deletes) {
      const before = current(key);
      if (before !== undefined) changes.push({ key, before, after: undefined });
    }
    return { next: changes.length === 0 ? undefined : { revision, changes } };
  }

  #keysOfLease(lease: LeaseId, pending: ReadonlyMap<string, StoredEntry | undefined>): string[] {
    const settled = [...this.#entries.values()].filter(({ key }) => !pending.has(key));
    return [...settled, ...pending.values()].flatMap((entry) => (entry?.lease === lease ? [entry.key] : [])).sort();
  }

  /** Makes a prepared revision the current one. It must be the next and must already be durable. */
  apply(next: StoredRevision): void {
    assert(next.revision === this.#revision + 1, `revision ${next.revision} applied after ${this.#revision}`);
    for (const { key, before, after } of next.changes) {
      assert(this.#entries.get(key) === before, `${key} changed between prepare and apply`);
      if (after === undefined) this.#entries.delete(key);
      else this.#entries.set(key, after);
    }
    this.#revision = next.revision;
    this.#history.push(next);
    if (this.#history.length > HISTORY_REVISIONS_MAX) this.#history.shift();
  }

  /** Applied revisions from `fromRevision` on, or undefined when the history no longer reaches back so far. */
  since(fromRevision: number): readonly StoredRevision[] | undefined {
    const oldest = this.#history[0]?.revision ?? this.#revision + 1;
    if (fromRevision < oldest && fromRevision <= this.#revision) return undefined;
    return this.#history.filter(({ revision }) => revision >= fromRevision);
  }
}

/** The part of a revision that a watcher of `prefix` sees; undefined when it is empty. */
export function changeUnder(prefix: string, { revision, changes }: StoredRevision): MetadataChange | undefined {
  const events: MetadataEvent[] = [];
  for (const { key, after } of changes) {
    if (!key.startsWith(prefix)) continue;
    events.push(after === undefined ? { type: 'delete', key } : { type: 'put', key, entry: decodeEntry(after) });
  }
  return events.length === 0 ? undefined : { revision, events };
}
