/**
 * The metadata store of a single broker: an lmdb database in the data folder, opened by one process at a time (the lock of the data folder
 * sees to that).
 *
 * Reads come from memory; the database is read once, at open, and then only written. A commit is one lmdb transaction that has been synced
 * before the promise resolves (`overlappingSync: false`: data pages are synced, then the meta page is written and synced). A crash before
 * that leaves the state before, one after it the state after. Keys under a lease stay in memory: a lease of this store ends with the
 * process.
 */

import { statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type * as lmdb from 'lmdb';
import {
  decodeHeader,
  decodeRecord,
  encodeHeader,
  encodeRecord,
  HEADER_KEY,
  type EncodedRecord,
  type StoreHeader,
} from './embedded-metadata-record.ts';
import { checkLmdbFile, lmdbFileExists, makeStoreFolder, removeUnmadeLmdbFile } from './lmdb-file.ts';
import { MetadataState, type StoredEntry, type StoredRevision } from './metadata-state.ts';
import { MetadataCorruptError, MetadataStoreError } from './metadata-store.ts';
import { QueuedMetadataStore, SYSTEM_METADATA_CLOCK, type MetadataClock } from './queued-metadata-store.ts';

// As CommonJS the library and what it needs are a handful of files: a start waits for each.
const { open: openDatabase } = createRequire(import.meta.url)('lmdb') as typeof lmdb;

type Database = lmdb.RootDatabase<Buffer, Buffer>;

/** Address space, not memory or disk: the file grows as it fills. */
const MAP_BYTES = 4 * 1024 * 1024 * 1024;
/** A disk with less than this left counts as full. More than one commit can need. */
const FREE_BYTES_MIN = 4 * 1024 * 1024;
const CAUSE_WAIT_MS = 1000;

export class EmbeddedMetadataStore extends QueuedMetadataStore {
  readonly #path: string;
  readonly #database: Database;
  #header: StoreHeader;
  /** Checksums of what is in the database, by key. */
  readonly #checksums: Map<string, number>;

  /**
   * Makes an empty store in the folder `path`, durably. An empty one that is already there is fine (a start that was interrupted made it);
   * one that holds anything is refused with {@link MetadataStoreError}.
   */
  static async create(path: string): Promise<void> {
    removeUnmadeLmdbFile(path);
    if (lmdbFileExists(path)) {
      const found = await EmbeddedMetadataStore.#read(path, { mayBeUnmade: true });
      await found.database.close();
      if (found.entries.length > 0)
        throw new MetadataStoreError(`${path} already holds metadata, but its data folder has no identity; nothing was changed`);
      if (found.header !== undefined) return;
    }
    makeStoreFolder(path);
    const database = openAt(path);
    await database.put(HEADER_KEY, encodeHeader({ revision: 0, count: 0, sum: 0 }));
    await database.close();
    makeStoreFolder(path);
  }

  /**
   * Opens the store in the folder `path`, which must exist. Throws {@link MetadataCorruptError} when it is missing, is not a database, or
   * does not hold exactly what was last committed: a broker that started empty instead would seem to have lost every topic.
   */
  static async open(path: string, clock: MetadataClock = SYSTEM_METADATA_CLOCK): Promise<EmbeddedMetadataStore> {
    if (!lmdbFileExists(path)) {
      throw new MetadataCorruptError(
        `${path} is missing: the metadata of this data folder is gone. Restore it from a backup; nothing was changed`,
      );
    }
    const { database, header, entries, checksums } = await EmbeddedMetadataStore.#read(path, { mayBeUnmade: false });
    return new EmbeddedMetadataStore(path, database, header!, entries, checksums, clock);
  }

  static async #read(path: string, { mayBeUnmade }: { mayBeUnmade: boolean }): Promise<ReadStore> {
    checkLmdbFile(path);
    let database: Database;
    try {
      database = openAt(path);
    } catch (error) {
      throw new MetadataCorruptError(`${path} cannot be opened: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      });
    }
    try {
      return readAll(path, database, mayBeUnmade);
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  private constructor(
    path: string,
    database: Database,
    header: StoreHeader,
    entries: readonly StoredEntry[],
    checksums: Map<string, number>,
    clock: MetadataClock,
  ) {
    super(new MetadataState(header.revision, entries), clock);
    this.#path = path;
    this.#database = database;
    this.#header = header;
    this.#checksums = checksums;
  }

  protected override async persist(revisions: readonly StoredRevision[]): Promise<void> {
    const changed = new Map<string, EncodedRecord | undefined>();
    for (const { changes } of revisions) {
      for (const { key, after } of changes)
        changed.set(key, after === undefined || after.lease !== undefined ? undefined : encodeRecord(after));
    }
    const header = this.#headerAfter(revisions.at(-1)!.revision, changed);
    const writes: Promise<boolean>[] = [];
    const batch = this.#database.batch(() => {
      for (const [key, record] of changed) {
        if (record !== undefined) writes.push(this.#database.put(record.key, record.value));
        else if (this.#checksums.has(key)) writes.push(this.#database.remove(Buffer.from(key)));
      }
      writes.push(this.#database.put(HEADER_KEY, encodeHeader(header)));
    });
    const outcomes = await Promise.allSettled([batch, ...writes]);
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw await this.#commitError(failed.reason);
    this.#header = header;
    for (const [key, record] of changed) {
      if (record === undefined) this.#checksums.delete(key);
      else this.#checksums.set(key, record.checksum);
    }
  }

  protected override async release(): Promise<void> {
    await this.#database.close();
  }

  /**
   * What a failed commit means. lmdb writes the meta page last, so a commit that found no room changed nothing and later ones may work.
   * After any other error (a failed sync) nobody knows what is on disk: the store ends, and the next start reads what is really there.
   */
  async #commitError(reason: unknown): Promise<MetadataStoreError> {
    const cause = await lmdbCause(reason);
    const message = cause instanceof Error ? cause.message : String(cause);
    const unchanged = this.#storedRevision() === this.#header.revision;
    // lmdb gives EIO for a write cut short by a full disk; that is told apart by looking at the disk.
    if (unchanged && (/no space left|disk quota/i.test(message) || (await freeBytes(this.#path)) < FREE_BYTES_MIN)) {
      return new MetadataStoreError(`no space left for metadata in ${this.#path}`, { cause });
    }
    return new MetadataStoreError(`a commit to ${this.#path} failed: ${message}`, { cause, outcomeUnknown: true });
  }

  #storedRevision(): number | undefined {
    try {
      const value = this.#database.get(HEADER_KEY);
      return value && decodeHeader(value)?.revision;
    } catch {
      return undefined;
    }
  }

  #headerAfter(revision: number, changed: ReadonlyMap<string, EncodedRecord | undefined>): StoreHeader {
    let { count, sum } = this.#header;
    for (const [key, record] of changed) {
      const before = this.#checksums.get(key);
      if (before !== undefined) {
        count -= 1;
        sum = (sum - before) >>> 0;
      }
      if (record !== undefined) {
        count += 1;
        sum = (sum + record.checksum) >>> 0;
      }
    }
    return { revision, count, sum };
  }
}

interface ReadStore {
  readonly database: Database;
  /** Undefined only for a database that was made but never written to. */
  readonly header: StoreHeader | undefined;
  readonly entries: readonly StoredEntry[];
  readonly checksums: Map<string, number>;
}

function openAt(path: string): Database {
  return openDatabase<Buffer, Buffer>({
    path,
    noSubdir: false,
    keyEncoding: 'binary',
    encoding: 'binary',
    overlappingSync: false,
    // Every commit of ours is one batch. With event-turn batching lmdb-js makes a promise of its own that nobody can catch when a commit
    // fails.
    eventTurnBatching: false,
    mapSize: MAP_BYTES,
  });
}

function readAll(path: string, database: Database, mayBeUnmade: boolean): ReadStore {
  const damaged = (what: string): MetadataCorruptError =>
    new MetadataCorruptError(`${path} is damaged: ${what}. Restore it from a backup; nothing was changed`);
  const entries: StoredEntry[] = [];
  const checksums = new Map<string, number>();
  let header: StoreHeader | undefined;
  let sum = 0;
  let records = 0;
  for (const { key, value } of database.getRange({ start: Buffer.from([0]) })) {
    records += 1;
    if (key.equals(HEADER_KEY)) {
      header = decodeHeader(value);
      if (header === undefined) throw damaged('its header does not match its checksum');
      continue;
    }
    const decoded = decodeRecord(key, value);
    if (decoded === undefined) throw damaged('an entry does not match its checksum');
    entries.push(decoded.entry);
    checksums.set(decoded.entry.key, decoded.checksum);
    sum = (sum + decoded.checksum) >>> 0;
  }
  if (header === undefined) {
    if (records === 0 && mayBeUnmade) return { database, header, entries, checksums };
    throw damaged('it has no header');
  }
  if (header.count !== entries.length || header.sum !== sum)
    throw damaged(`it should hold ${header.count} entries and holds ${entries.length}`);
  return { database, header, entries, checksums };
}

/** lmdb-js rejects with a wrapper whose `commitError` is a promise that rejects with the real error, a little later. */
async function lmdbCause(reason: unknown): Promise<unknown> {
  const inner = (reason as { commitError?: Promise<unknown> }).commitError;
  if (inner === undefined) return reason;
  const giveUp = new Promise((resolve) => setTimeout(resolve, CAUSE_WAIT_MS, reason).unref());
  return Promise.race([inner.catch((cause: unknown) => cause), giveUp]);
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}
