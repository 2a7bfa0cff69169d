/** Kafka's text of limits per address, `127.0.0.1:200,::1:50`, to a map. */
import net from 'node:net';

const LIMIT_MAX = 2 ** 31 - 1;
const MAPPED_PREFIX = '::ffff:';

/**
 * Parses `address:count` pairs, separated by commas; the last colon is the one before the count. Returns counts by address, in the form in which sockets
 * give addresses, or the words for "it must be …" when the text is none. Empty text is an empty map.
 */
export function parseAddressLimits(text: string): ReadonlyMap<string, number> | string {
  const limits = new Map<string, number>();
  if (text.trim() === '') return limits;
  for (const pair of text.split(',')) {
    const colon = pair.lastIndexOf(':');
    const address = plainForm(pair.slice(0, Math.max(0, colon)).trim());
    if (address === null) return 'a list of address:count, for example 127.0.0.1:200,::1:50 (names of hosts are not looked up)';
    const count = pair.slice(colon + 1).trim();
    if (!/^[0-9]{1,10}$/.test(count) || Number(count) > LIMIT_MAX) return `a list of address:count with counts from 0 to ${LIMIT_MAX}`;
    if (limits.has(address)) return `a list of address:count that names each address once (${address} is there twice)`;
    limits.set(address, Number(count));
  }
  return limits;
}

/** An address as sockets show it: IPv4 plain, also when it came mapped into IPv6; IPv6 shortened. Null for what is no address. */
function plainForm(text: string): string | null {
  const family = text.includes('%') ? 0 : net.isIP(text);
  if (family === 0) return null;
  if (family === 4) return text;
  const { address } = new net.SocketAddress({ address: text, family: 'ipv6' });
  const mapped = address.startsWith(MAPPED_PREFIX) ? address.slice(MAPPED_PREFIX.length) : '';
  return net.isIPv4(mapped) ? mapped : address;
}
