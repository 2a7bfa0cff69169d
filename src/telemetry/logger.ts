/** Structured log lines (JSON) on standard error. A thin layer, so that nothing else knows which library writes them. */

import { pino } from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

/** Fields first, then a message that is the same for all events of a kind. An error goes in the field `err`. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

/** The logger of a broker; its level can be changed at any time. */
export interface RootLogger extends Logger {
  /** `ringlog.log.level`. */
  level: string;
}

export interface LoggerOptions {
  /** `ringlog.log.level`. */
  readonly level: string;
  /** Where lines go; standard error unless somebody says otherwise. */
  readonly destination?: { write(line: string): void };
}

/** Lines are written synchronously: the last line before a crash is the one that matters. */
export function createLogger({ level, destination }: LoggerOptions): RootLogger {
  const options = {
    level,
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination ?? pino.destination({ fd: 2, sync: true }));
}
