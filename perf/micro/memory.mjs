/** Puts `bytes` into shared memory behind other bytes, as requests and batches lie in the broker. */
export function placed(bytes) {
  const buffer = Buffer.from(new SharedArrayBuffer(bytes.length + 4096));
  buffer.set(bytes, 1024);
  return { buffer, start: 1024, end: 1024 + bytes.length };
}
