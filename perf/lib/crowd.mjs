// Many plain connections to a broker, and what a process has of descriptors.
import { connect } from 'node:net';
import { readdirSync } from 'node:fs';
import { PAIRS_TO_JUDGE } from './stats.mjs';

/** An ApiVersions request of version 0: the smallest question there is. */
const QUESTION = Buffer.from('0000000c' + '0012' + '0000' + '00000001' + '0002' + '7066', 'hex');
const AT_ONCE = 100;

/** Connects; resolves with the socket and how long the kernel and the broker took, ms. */
export function open(port) {
  const startedAt = performance.now();
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      socket.on('error', () => {});
      resolve({ socket, connectMs: performance.now() - startedAt });
    });
  });
}

/** Asks and waits for the answer: only that shows that a broker has accepted a connection, and not only its kernel. False if it was closed instead. */
export function ask(socket) {
  return new Promise((resolve) => {
    const end = (answered) => {
      socket.removeAllListeners('data').removeAllListeners('close');
      resolve(answered);
    };
    socket.once('data', () => end(true)).once('close', () => end(false));
    socket.write(QUESTION);
  });
}

/** Opens `count` connections, some at a time, each answered once. */
export async function openMany(port, count) {
  const sockets = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - sockets.length) }, () => open(port));
    for (const { socket } of await Promise.all(some)) {
      if (!(await ask(socket))) throw new Error(`connection ${sockets.length + 1} of ${count} was closed: ulimit -n, or max.connections?`);
      sockets.push(socket);
    }
  }
  return sockets;
}

/** Descriptors of a process. */
export function descriptorsOf(pid) {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** A figure with its target, as `printFigures` shows it; judged if it is of turns enough. */
export function figureOf(name, figure, target, holds) {
  const isJudged = target && figure && figure.count >= PAIRS_TO_JUDGE;
  return { name, figure, target: target ?? null, holds: isJudged ? holds(figure.median) : null };
}
