/**
 * A decoder with a bug behind six bytes, each looked at only when those before it are right: what formats with magic numbers, versions and kinds are like. Chance meets it
 * once in 2^48 inputs; whoever sees that an input got one byte further needs some hundreds for each.
 */
export function decodePlanted(bytes: Buffer): void {
  if (bytes[0] !== 0x52) return;
  if (bytes[1] !== 0x4c) return;
  if (bytes[2] !== 0xf3) return;
  if (bytes[3] !== 0x07) return;
  if (bytes[4] !== 0x9a) return;
  if (bytes[5] !== 0xe1) return;
  throw new Error('the planted bug');
}
