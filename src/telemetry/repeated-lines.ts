/**
 * Log lines that strangers can cause: the first few of a kind in each period are written, the rest are counted and told in one line at its end. So whoever is flooded
 * has a readable log, and a disk that is not full of it. Knows no clock: its owner says when a period is over.
 */
import type { LogFields, Logger } from './logger.ts';

/** Lines of one kind in one period. */
const LINES_MAX = 5;

class Kind {
  written = 0;
  suppressed = 0;
}

/** See the file header. A kind is a message, so messages must be constants. */
export class RepeatedLines {
  private readonly logger: Logger;
  private readonly kinds = new Map<string, Kind>();

  constructor(logger: Logger) {
    this.logger = logger;
  }

  warn(fields: LogFields, message: string): void {
    let kind = this.kinds.get(message);
    if (kind === undefined) this.kinds.set(message, (kind = new Kind()));
    if (kind.written === LINES_MAX) {
      kind.suppressed++;
      return;
    }
    kind.written++;
    this.logger.warn(fields, message);
  }

  /** A period is over. */
  endPeriod(): void {
    for (const [message, { suppressed }] of this.kinds) {
      if (suppressed > 0) this.logger.warn({ suppressed, line: message }, 'more such lines were not written');
    }
    this.kinds.clear();
  }
}
