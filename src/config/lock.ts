/**
 * The lock of a data folder: one process at a time, and it dies with the process, however that ends. Node has no flock, so the lock is a
 * listening unix socket, which the kernel closes with its process.
 *
 * - Linux: an abstract socket named after device and inode of the folder. Binding it is atomic, leaves nothing behind, and a second mount
 *   or a symbolic link of the folder gives the same name. It is known within a network namespace only (two containers with one volume),
 *   therefore the second socket:
 * - everywhere: a socket file in the folder. Bound already: whoever accepts a connection holds the lock; nobody accepts: its process is
 *   dead, and the file is replaced.
 *
 * Both sockets tell whoever connects the process id of the holder. Hosts that share a folder over a network are not kept apart: a data
 * folder wants a disk of its own.
 */

import { closeSync, constants, lstatSync, openSync, statSync, unlinkSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataFolderError } from './errors.ts';

/** The socket file in the folder. */
export const LOCK_SOCKET_NAME = 'ringlog.lock';

/** Longest path that fits a socket address on every platform (macOS: 104 bytes with the ending zero). */
const SOCKET_PATH_BYTES_MAX = 103;
/** How long a holder has to tell its process id. */
const ANSWER_MS = 250;
/**
 * A process killed a moment ago still holds its sockets: it dies only when the disk call it is in comes back, and frees its memory first. A holder that lives
 * answers, and is not waited for.
 */
const DYING_HOLDER_MS = 15_000;
const RETRY_MS = 20;

export interface FolderLock {
  /** Lets go. Resolves once another process can take the lock. May be called again. */
  release(): Promise<void>;
}

/** Takes the lock of `folder`, which must exist. Throws {@link DataFolderError} when another process, or this one, has it. */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const giveUpAtMs = performance.now() + DYING_HOLDER_MS;
  for (;;) {
    const attempt = await tryLock(folder);
    if ('release' in attempt) return attempt;
    if (attempt.answered || performance.now() >= giveUpAtMs) throw new DataFolderError(heldMessage(folder, attempt.pid));
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

interface Held {
  /** Whether the holder is surely alive. */
  readonly answered: boolean;
  readonly pid: number | undefined;
}

async function tryLock(folder: string): Promise<FolderLock | Held> {
  const { dev, ino } = statSync(folder, { bigint: true });
  const servers: Server[] = [];
  if (process.platform === 'linux') {
    const name = `\0ringlog-data-folder-${dev}-${ino}`;
    const server = await listen(name);
    if (server === 'in-use') return askHolder(name);
    servers.push(server);
  }
  const place = socketPlace(folder, `${dev}-${ino}`);
  const server = await bindFile(place.path, servers.length > 0);
  if (server !== undefined && !('close' in server)) {
    await closeAll(servers);
    place.release();
    return server;
  }
  if (server !== undefined) servers.unshift(server);
  let released: Promise<void> | undefined;
  const release = async (): Promise<void> => {
    await closeAll(servers); // the file first, while the abstract name still keeps others out
    place.release();
  };
  return { release: () => (released ??= release()) };
}

/** Binds the socket file, replacing a dead one. Undefined: this file system has no sockets and `optional` says that is fine. */
async function bindFile(path: string, optional: boolean): Promise<Server | Held | undefined> {
  let server: Server | 'in-use';
  try {
    server = await listen(path);
    if (server === 'in-use') {
      const before = lstatSync(path, { throwIfNoEntry: false });
      const held = await askHolder(path);
      if (held.answered || held.pid !== undefined || !held.dead) return held;
      // Nobody listens. Only the very file that was asked may be replaced: another process may have replaced it meanwhile.
      const now = lstatSync(path, { throwIfNoEntry: false });
      if (now !== undefined && now.ino !== before?.ino) return { answered: false, pid: undefined };
      if (now !== undefined) unlinkSync(path);
      server = await listen(path);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (optional && (code === 'EPERM' || code === 'ENOTSUP' || code === 'EOPNOTSUPP' || code === 'EINVAL')) return undefined;
    throw error;
  }
  return server === 'in-use' ? { answered: false, pid: undefined } : server;
}

function listen(path: string): Promise<Server | 'in-use'> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined).unref();
      // Whoever asked may never close: the lock is given up all the same.
      socket.end(`${process.pid}\n`, () => socket.destroy());
    });
    server.maxConnections = 16;
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' ? resolve('in-use') : reject(error)));
    server.listen({ path }, () => {
      server.removeAllListeners('error').on('error', () => undefined);
      resolve(server.unref());
    });
  });
}

/** Asks whoever listens at `path` for its process id. */
function askHolder(path: string): Promise<Held & { readonly dead: boolean }> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = createConnection({ path });
    const finish = (dead: boolean): void => {
      socket.destroy();
      const pid = /^([0-9]{1,10})\n/.exec(answer)?.[1];
      resolve({ answered: pid !== undefined, pid: pid === undefined ? undefined : Number(pid), dead });
    };
    const timer = setTimeout(() => finish(false), ANSWER_MS);
    socket.on('data', (chunk: Buffer) => void (answer = (answer + chunk.toString('latin1')).slice(0, 16)));
    socket.on('close', () => {
      clearTimeout(timer);
      finish(false);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      finish(error.code === 'ECONNREFUSED' || error.code === 'ENOENT' || error.code === 'ENOTSOCK');
    });
  });
}

interface SocketPlace {
  readonly path: string;
  release(): void;
}

/**
 * Where the socket file of `folder` goes. Socket paths are short: a long one is reached through a descriptor of the folder, or, where that
 * cannot be, lies elsewhere.
 */
function socketPlace(folder: string, identity: string): SocketPlace {
  const path = join(folder, LOCK_SOCKET_NAME);
  if (Buffer.byteLength(path) <= SOCKET_PATH_BYTES_MAX) return { path, release: () => undefined };
  if (process.platform !== 'linux') return { path: join(tmpdir(), `ringlog-${identity}.lock`), release: () => undefined };
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${descriptor}/${LOCK_SOCKET_NAME}`, release: () => closeSync(descriptor) };
}

async function closeAll(servers: readonly Server[]): Promise<void> {
  for (const server of servers) await new Promise<void>((resolve) => void server.close(() => resolve()));
}

function heldMessage(folder: string, pid: number | undefined): string {
  const who = pid === undefined ? 'another process' : pid === process.pid ? 'this process' : `process ${pid}`;
  return `The data folder ${folder} is in use by ${who}. Stop that broker first, or give this one another folder (--data-dir).`;
}
