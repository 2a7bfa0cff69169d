/** The two classes of error that codecs throw: one blames the bytes, the other the caller. */

/** Bytes that do not follow the protocol. The only thing a decoder throws, whatever its input. */
export class MalformedError extends Error {
  override name = 'MalformedError';
  /** Message that was read, e.g. `Metadata request`. */
  readonly subject: string;
  /** Dotted path of the field that was read, '' outside of fields. */
  readonly field: string;
  /** Byte position in the decoded buffer at which it was noticed. */
  readonly position: number;

  constructor(subject: string, field: string, position: number, reason: string) {
    super(`malformed ${subject}${field === '' ? '' : `, field ${field}`}, at byte ${position}: ${reason}`);
    this.subject = subject;
    this.field = field;
    this.position = position;
  }
}

/** A value that cannot be written in the wanted version: always a bug of the caller. */
export class EncodeError extends Error {
  override name = 'EncodeError';
  readonly subject: string;
  readonly field: string;

  constructor(subject: string, field: string, reason: string) {
    super(`cannot encode ${subject}${field === '' ? '' : `, field ${field}`}: ${reason}`);
    this.subject = subject;
    this.field = field;
  }
}
