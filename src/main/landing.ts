/**
 * How bytes leave the kernel. Main only; the one place that knows Node's `onread` sockets. TLS will have its own way to call the same sink.
 *
 * Sockets that are idle, or in the middle of small frames, share one landing buffer: what lands there is moved out before the callback returns.
 * A view that was handed to a socket cannot be taken back before the next read, so the views are of three sizes:
 *
 * - peek: only the size of the next frame is read, the kernel keeps the rest. After large frames, which are then read straight into their region,
 *   and whenever memory is scarce.
 * - idle: what a socket may leave behind if its next frame gets no memory: a few kilobytes.
 * - full: 64 KiB, for a socket that has just filled its view. Only some sockets have it at a time.
 *
 * Traps, all seen: a null from `buffer` means that the old bytes are overwritten, an empty view kills the socket with ENOBUFS, `buffer` runs once
 * more after the callback said stop, and again when the socket was destroyed inside the callback; and the socket that `net` accepted never closes once its handle
 * lives in another: it is emptied and destroyed here, so neither `server.maxConnections` nor `server.close()` counts connections.
 */
import net from 'node:net';
import { assert } from '../lib/assert.ts';

const FULL_BYTES = 64 * 1024;
const IDLE_BYTES = 4 * 1024;
/** The size in front of a frame. */
const PEEK_BYTES = 4;
const FULL_VIEWS_MAX = 64;
/** Where `net` keeps what it accepted. */
const HANDLE = '_handle';

/** The landing buffer and who has which part of it. */
export class Landing {
  readonly peek: Buffer;
  readonly idle: Buffer;
  readonly full: Buffer;
  private fullViews = 0;

  constructor() {
    this.full = Buffer.allocUnsafeSlow(FULL_BYTES);
    this.idle = this.full.subarray(0, IDLE_BYTES);
    this.peek = this.full.subarray(0, PEEK_BYTES);
  }

  /** Takes one of the full views; returned by {@link returnFull} once everything that landed in it is dealt with. */
  tryTakeFull(): boolean {
    if (this.fullViews >= FULL_VIEWS_MAX) return false;
    this.fullViews++;
    return true;
  }

  returnFull(): void {
    assert(this.fullViews > 0, 'full view returned twice');
    this.fullViews--;
  }
}

/** Where the bytes of a socket go. */
export interface LandingSink {
  /** The view for the next read: never empty, valid until bytes land in it or the socket is closed. */
  view(): Buffer;
  /** `count` bytes lie at the beginning of `view`. Returns whether to go on reading; if not, `resume()` of the socket does. */
  landed(view: Buffer, count: number): boolean;
}

/** What `net` accepted, emptied into a socket that lands in `sink`. The socket does not read before `resume()`. */
export function openLandingSocket(accepted: net.Socket, sink: LandingSink, writableHighWaterMark: number): net.Socket | null {
  const inner = accepted as unknown as { [HANDLE]: object | null };
  const handle = inner[HANDLE];
  // The client was gone before its turn.
  if (handle === null) return null;
  inner[HANDLE] = null;
  accepted.on('error', ignore);
  accepted.destroy();
  const options = {
    handle,
    // Else it would begin to read here, before anyone listens for its errors.
    manualStart: true,
    writableHighWaterMark,
    onread: {
      buffer: () => sink.view(),
      callback: (count: number, view: Uint8Array) => sink.landed(view as Buffer, count),
    },
  };
  return new net.Socket(options as unknown as net.SocketConstructorOpts);
}

function ignore(): void {}
