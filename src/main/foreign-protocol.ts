/**
 * What speaks when the first four bytes are no size of a frame. TLS clients and browsers find a Kafka port often enough that whoever reads the log should not have to
 * decode `369295616` by hand. Pure.
 */

const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR = 3;
/** The first four letters of what an HTTP client may send. PRI is how HTTP/2 begins. */
const HTTP_BEGINNINGS: ReadonlySet<string> = new Set(['GET ', 'HEAD', 'POST', 'PUT ', 'DELE', 'CONN', 'OPTI', 'TRAC', 'PATC', 'PRI ']);

/** The log's line for each, constants: the fields say who. */
const LINES = {
  tls: 'connection closed: this looks like TLS, and the listener speaks PLAINTEXT; set security.protocol=PLAINTEXT in the client',
  http: 'connection closed: this looks like HTTP, and the port speaks the Kafka protocol; use a Kafka client',
  ssh: 'connection closed: this looks like SSH, and the port speaks the Kafka protocol; use a Kafka client',
} as const;

/** The line for a client whose first four bytes, read as an int32, were `size`; null if they remind of nothing. */
export function foreignProtocol(size: number): string | null {
  // A record of TLS: its type, its version (3.0 to 3.4), the first byte of its length.
  if (size >>> 24 === TLS_HANDSHAKE && ((size >>> 16) & 0xff) === TLS_MAJOR && ((size >>> 8) & 0xff) <= 4) return LINES.tls;
  const letters = String.fromCharCode(size >>> 24, (size >>> 16) & 0xff, (size >>> 8) & 0xff, size & 0xff);
  if (HTTP_BEGINNINGS.has(letters)) return LINES.http;
  return letters === 'SSH-' ? LINES.ssh : null;
}
