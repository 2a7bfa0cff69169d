/** Rare messages between main and a thread that has an event loop of its own: nothing of theirs is ordered with data, so a port and its events will do. */
import type { MessagePort } from 'node:worker_threads';

/** One end. `onMessage` is called for each message, in order. */
export class Mailbox<Outgoing, Incoming> {
  private readonly port: MessagePort;

  constructor(port: MessagePort, onMessage: (message: Incoming) => void) {
    this.port = port;
    port.on('message', onMessage);
  }

  /** It no longer keeps its thread up by itself. */
  unref(): void {
    this.port.unref();
  }

  post(message: Outgoing): void {
    this.port.postMessage(message);
  }

  close(): void {
    this.port.close();
  }
}
