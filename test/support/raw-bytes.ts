/** Bytes that no encoder of the protocol would write. */

export const int8 = (value: number): Buffer => Buffer.from([value & 0xff]);

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value | 0);
  return bytes;
}

/** `bytes` behind their size. */
export const sized = (...parts: readonly Buffer[]): Buffer => {
  const bytes = Buffer.concat(parts);
  return Buffer.concat([int32(bytes.length), bytes]);
};

/** A frame of any API and version, with whatever body. `flexible`: the header has a tag section. */
export function rawFrame(key: number, version: number, flexible: boolean, ...body: readonly Buffer[]): Buffer {
  const header = [int16(key), int16(version), int32(7), int16(4), Buffer.from('evil'), ...(flexible ? [int8(0)] : [])];
  return sized(...header, Buffer.concat(body));
}
