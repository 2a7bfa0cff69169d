/** Kafka's listener text, `PLAINTEXT://host:port`, to address and back. */

/** A host (without brackets) and a port from 0 to 65535. */
export interface ListenerAddress {
  readonly host: string;
  readonly port: number;
}

const LISTENER = /^([A-Za-z_]+):\/\/(?:\[([0-9A-Fa-f:.%]+)\]|([^:/[\]\s,]*)):([0-9]{1,5})$/;

/**
 * Parses one listener. Returns the address, or the words for "it must be …" when the text is none.
 * An empty host stays empty; what it means is the caller's to say.
 */
export function parseListener(text: string): ListenerAddress | string {
  if (text.includes(',')) return 'a single listener (several are not there yet)';
  const match = LISTENER.exec(text.trim());
  if (match === null) return 'PLAINTEXT://host:port, for example PLAINTEXT://127.0.0.1:9092';
  if (match[1]!.toUpperCase() !== 'PLAINTEXT') return 'a PLAINTEXT listener (TLS and SASL are not there yet)';
  const port = Number(match[4]);
  if (port > 65_535) return 'PLAINTEXT://host:port with a port from 0 to 65535';
  return { host: match[2] ?? match[3] ?? '', port };
}

/** `host:port`, with brackets around an IPv6 host. */
export function formatAddress(address: ListenerAddress): string {
  return `${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}
