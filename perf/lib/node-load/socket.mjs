import { connect } from 'node:net';

/**
 * A connection whose every piece of data comes in the same memory, `receiveBytes` of it.
 * @param {{ host: string, port: number }} address
 * @param {(data: Buffer, bytes: number) => void} onData
 * @param {() => void} onLost it was closed, and not by `destroy` of this side
 * @returns {Promise<import('node:net').Socket>}
 */
export function openSocket({ host, port }, receiveBytes, onData, onLost) {
  return new Promise((resolve, reject) => {
    let reason = 'the connection was closed';
    const socket = connect({
      host,
      port,
      noDelay: true,
      onread: { buffer: Buffer.alloc(receiveBytes), callback: (bytes, data) => (onData(data, bytes), true) },
    });
    socket.on('error', (error) => (reason = error.message));
    const onRefused = () => reject(new Error(`cannot connect to ${host}:${port}: ${reason} (is the broker running?)`));
    socket.once('close', onRefused);
    socket.once('connect', () => {
      socket.off('close', onRefused);
      socket.once('end', onLost);
      socket.once('close', onLost);
      resolve(socket);
    });
  });
}
