/**
 * A data folder's identity, `ringlog.json`, and the order in which a folder is taken: lock, identity, then everything else.
 *
 * A new folder gets its metadata store first and its identity last. So a folder with an identity must have all that belongs to it, and what
 * is missing is a fault, never a reason to start empty; a folder without identity was never served from, and a start that was interrupted
 * is simply begun anew.
 */

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DataFolderError } from './errors.ts';
import { LOCK_SOCKET_NAME, lockFolder, type FolderLock } from './lock.ts';

/** The layout that this version writes and reads. */
export const DATA_FORMAT_VERSION = 1;
export const IDENTITY_NAME = 'ringlog.json';
const META_NAME = 'meta';
const TEMPORARY_NAME = `${IDENTITY_NAME}.tmp`;
/** What a folder without identity may hold: what an interrupted first start leaves, and what file systems put there. */
const HARMLESS_NAMES = new Set([META_NAME, TEMPORARY_NAME, LOCK_SOCKET_NAME, 'lost+found', '.DS_Store', '.gitkeep']);

export interface DataFolderOptions {
  readonly nodeId: number;
  /** Makes the metadata store of a new folder, durably; it must accept an empty one that is already there. */
  readonly initialize: (metaPath: string) => Promise<void>;
}

/** A folder that this process owns until `close`. */
export interface DataFolder {
  readonly path: string;
  /** Where the metadata store lies. */
  readonly metaPath: string;
  /** Kafka's form of a cluster id: 22 characters. */
  readonly clusterId: string;
  readonly nodeId: number;
  /** Whether this very start made it. */
  readonly fresh: boolean;
  /** Gives up the lock. To be called when nothing writes into the folder any more. */
  close(): Promise<void>;
}

/** What `ringlog.json` says. */
export interface Identity {
  readonly formatVersion: number;
  readonly clusterId: string;
  readonly nodeId: number;
}

/**
 * Takes the folder, making it if it does not exist. Throws {@link DataFolderError}: in use, of another broker, of a newer version, not
 * ours, not accessible.
 */
export async function openDataFolder(path: string, options: DataFolderOptions): Promise<DataFolder> {
  let lock: FolderLock;
  try {
    makeFolder(path);
    lock = await lockFolder(path);
  } catch (error) {
    throw accessError(path, error);
  }
  try {
    const metaPath = join(path, META_NAME);
    const found = readIdentity(path);
    if (found !== undefined) checkIdentity(path, found, options.nodeId);
    const identity = found ?? (await establish(path, metaPath, options));
    return {
      path,
      metaPath,
      clusterId: identity.clusterId,
      nodeId: identity.nodeId,
      fresh: found === undefined,
      close: () => lock.release(),
    };
  } catch (error) {
    await lock.release();
    throw accessError(path, error);
  }
}

/** Bytes of the disk that `path` lies on, and those of them that are free; null when it does not tell. */
export async function folderSpace(path: string): Promise<{ totalBytes: number; usableBytes: number } | null> {
  try {
    const { bsize, blocks, bavail } = await statfs(path);
    return { totalBytes: bsize * blocks, usableBytes: bsize * bavail };
  } catch {
    return null;
  }
}

/**
 * Makes the folder and those above it as far as they are missing, and syncs each name that is new. One level at a time: mkdir's own
 * recursion never ends in Node 20 where a file system lets nobody make folders and says that the one above is missing, as /proc does.
 */
function makeFolder(path: string): void {
  const missing: string[] = [];
  for (let at = path; !madeOrThere(at); at = dirname(at)) missing.push(at);
  for (const each of missing.reverse()) {
    mkdirUnlessThere(each);
    syncFolder(dirname(each));
  }
}

/** False when the folder above is missing. */
function madeOrThere(path: string): boolean {
  try {
    if (mkdirUnlessThere(path)) syncFolder(dirname(path));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw error;
    return false;
  }
}

/** Whether it was made; throws when something else has the name. */
function mkdirUnlessThere(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || !statSync(path).isDirectory()) throw error;
    return false;
  }
}

async function establish(path: string, metaPath: string, options: DataFolderOptions): Promise<Identity> {
  const strangers = readdirSync(path).filter((name) => !HARMLESS_NAMES.has(name));
  if (strangers.length > 0) {
    const some = strangers.slice(0, 3).join(', ') + (strangers.length > 3 ? ', …' : '');
    throw new DataFolderError(
      `The folder ${path} holds other files (${some}) but no ${IDENTITY_NAME}, so it is no data folder. ` +
        `Give an empty one, or restore its ${IDENTITY_NAME}.`,
    );
  }
  await options.initialize(metaPath);
  const identity: Identity = { formatVersion: DATA_FORMAT_VERSION, clusterId: newClusterId(), nodeId: options.nodeId };
  writeIdentity(path, identity);
  return identity;
}

/** The identity of a folder, undefined when it has none. Throws {@link DataFolderError} when what is there cannot be read as one. */
export function readIdentity(path: string): Identity | undefined {
  let text: string;
  try {
    text = readFileSync(join(path, IDENTITY_NAME), 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'EISDIR') throw new DataFolderError(`${join(path, IDENTITY_NAME)} is a folder and should be a file. Nothing was changed.`);
    throw error;
  }
  const unreadable = new DataFolderError(
    `${join(path, IDENTITY_NAME)} cannot be read as the identity of a data folder. Restore it from a backup; nothing was changed.`,
  );
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw unreadable;
  }
  if (typeof parsed !== 'object' || parsed === null) throw unreadable;
  const { formatVersion, clusterId, nodeId } = parsed as Record<string, unknown>;
  if (!Number.isSafeInteger(formatVersion) || (formatVersion as number) < 1) throw unreadable;
  // A newer version may have changed everything else.
  if ((formatVersion as number) > DATA_FORMAT_VERSION) return { formatVersion: formatVersion as number, clusterId: '', nodeId: -1 };
  if (typeof clusterId !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(clusterId) || !Number.isSafeInteger(nodeId)) throw unreadable;
  return { formatVersion: formatVersion as number, clusterId, nodeId: nodeId as number };
}

/** Refuses a folder that a newer version has written. */
export function checkFormat(path: string, identity: Identity): void {
  if (identity.formatVersion > DATA_FORMAT_VERSION) {
    throw new DataFolderError(
      `The data folder ${path} has format version ${identity.formatVersion}, and this ringlog knows versions up to ${DATA_FORMAT_VERSION}. ` +
        'A newer ringlog wrote it; use that one. Nothing was changed.',
    );
  }
}

function checkIdentity(path: string, identity: Identity, nodeId: number): void {
  checkFormat(path, identity);
  if (identity.nodeId !== nodeId) {
    throw new DataFolderError(
      `The data folder ${path} belongs to broker ${identity.nodeId}, and this is broker ${nodeId} (node.id). Nothing was changed.`,
    );
  }
}

/** Temporary file, sync, rename, sync of the folder: after a crash the identity is there whole or not at all. */
function writeIdentity(path: string, identity: Identity): void {
  const temporary = join(path, TEMPORARY_NAME);
  const descriptor = openSync(temporary, 'w', 0o644);
  try {
    writeSync(descriptor, `${JSON.stringify(identity, null, 2)}\n`);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, join(path, IDENTITY_NAME));
  syncFolder(path);
}

function syncFolder(path: string): void {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Kafka's cluster ids are random UUIDs in base64url, not beginning with "-". */
function newClusterId(): string {
  for (;;) {
    const id = randomBytes(16).toString('base64url');
    if (!id.startsWith('-')) return id;
  }
}

/** Turns what the system says about a folder into one line that names it; what does not come from the system passes. */
function accessError(path: string, error: unknown): unknown {
  const reasons: Partial<Record<string, string>> = {
    EACCES: 'this user may not use it',
    EPERM: 'this user may not use it',
    EROFS: 'its file system is read-only',
    ENOSPC: 'its disk is full',
    EDQUOT: 'the disk quota is used up',
    ENOTDIR: 'it is not a folder',
    EEXIST: 'it is not a folder',
    ENAMETOOLONG: 'its name is too long',
    // As mkdir puts it where a folder above is missing and cannot be made.
    ENOENT: 'a folder above it is missing and cannot be made',
    ELOOP: 'its symbolic links go round in a circle',
    EMFILE: 'this process has too many files open',
  };
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  return new DataFolderError(`The data folder ${path} cannot be opened: ${reasons[code] ?? message} (${code}).`, { cause: error });
}
