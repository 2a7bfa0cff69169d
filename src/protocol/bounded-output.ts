/** What a decompressor writes into: it grows as needed, up to a limit that no input can get past. Pure. */

/** More came out of compressed bytes than there may be. */
export class OutputTooLargeError extends Error {
  override name = 'OutputTooLargeError';

  constructor(bytesMax: number) {
    super(`decompressed to more than ${bytesMax} bytes`);
  }
}

const BYTES_INITIAL = 64 * 1024;

/** See the file header. */
export class BoundedOutput {
  length = 0;
  private readonly bytesMax: number;
  private buffer: Buffer;

  /** @param bytesMax most bytes that may be written @param bytesExpected as many as are expected, if that is known */
  constructor(bytesMax: number, bytesExpected = BYTES_INITIAL) {
    this.bytesMax = bytesMax;
    this.buffer = Buffer.allocUnsafeSlow(Math.min(bytesMax, bytesExpected));
  }

  /** What was written so far; a view. */
  get bytes(): Buffer {
    return this.buffer.subarray(0, this.length);
  }

  /** @throws OutputTooLargeError */
  append(bytes: Uint8Array): void {
    const at = this.claim(bytes.length);
    this.buffer.set(bytes, at);
  }

  /** Repeats `length` bytes from `distance` bytes before the end; they may overlap with what is being written. False: there are not as many. */
  repeat(distance: number, length: number): boolean {
    if (distance <= 0 || distance > this.length) return false;
    const at = this.claim(length);
    const { buffer } = this;
    // Copies double in size: what was just written is there to be copied.
    for (let done = 0; done < length;) {
      const step = Math.min(length - done, distance + done);
      buffer.copyWithin(at + done, at - distance, at - distance + step);
      done += step;
    }
    return true;
  }

  private claim(length: number): number {
    const at = this.length;
    const end = at + length;
    if (end > this.bytesMax) throw new OutputTooLargeError(this.bytesMax);
    if (end > this.buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.bytesMax, Math.max(end, this.buffer.length * 2)));
      this.buffer.copy(larger, 0, 0, at);
      this.buffer = larger;
    }
    this.length = end;
    return at;
  }
}
