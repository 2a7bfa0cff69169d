/**
 * Rare messages between main and a shard. The payload travels on a MessagePort, the ring carries one control slot for it, so a message is
 * ordered with the data around it: a consumer that meets the slot finds the payload already in its port (it was posted before the slot was
 * published). A blocked worker has no event loop, hence `receiveMessageOnPort` instead of events.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { assert } from '../lib/assert.ts';

/** One end of a control conversation. The simulator puts a plain queue in its place. */
export interface ControlPort<Outgoing, Incoming> {
  /** Posts a message; the caller then offers and publishes its control slot. */
  post(message: Outgoing): void;
  /** The next message, in order; there is one for every control slot. */
  receive(): Incoming;
}

/** The real thing, over a MessagePort that nobody listens to with events. */
export class PortControl<Outgoing, Incoming> implements ControlPort<Outgoing, Incoming> {
  private readonly port: MessagePort;

  constructor(port: MessagePort) {
    this.port = port;
  }

  post(message: Outgoing): void {
    this.port.postMessage(message);
  }

  receive(): Incoming {
    const received: { message: Incoming } | undefined = receiveMessageOnPort(this.port);
    assert(received !== undefined, 'control slot without a message on the port');
    return received.message;
  }

  close(): void {
    this.port.close();
  }
}
