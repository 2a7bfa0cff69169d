/** Bytes as JSON has them: text when they are UTF-8, else `{ "base64": … }`. */
export function textOrBase64(bytes: Buffer | null): string | null | { base64: string } {
  if (bytes === null) return null;
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : { base64: bytes.toString('base64') };
}
