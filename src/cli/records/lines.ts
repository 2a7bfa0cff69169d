/** Lines of a stream, as bytes: records may be anything. */

const NEWLINE = 0x0a;

/**
 * The lines of `input`, in the pieces in which they come, without their newlines. What follows the last newline is a line, too.
 * @param bytesMax a longer line is an error: it would fill the memory
 */
export async function* linesOf(
  input: AsyncIterable<Buffer>,
  bytesMax: number,
  tooLong: (bytes: number) => Error,
): AsyncGenerator<Buffer[]> {
  let pieces: Buffer[] = [];
  let pending = 0;
  for await (const chunk of input) {
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const end = chunk.subarray(from, at);
      lines.push(pieces.length === 0 ? end : Buffer.concat([...pieces, end]));
      pieces = [];
      pending = 0;
      from = at + 1;
    }
    if (from < chunk.length) {
      pieces.push(chunk.subarray(from));
      pending += chunk.length - from;
    }
    if (lines.length > 0) yield lines;
    if (pending > bytesMax) throw tooLong(pending);
  }
  if (pieces.length > 0) yield [Buffer.concat(pieces)];
}
