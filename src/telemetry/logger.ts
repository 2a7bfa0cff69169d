/**
 * Structured log lines (JSON) on standard error. A thin layer, so that nothing else knows which library writes them.
 *
 * The library is loaded by the first line that is written, or once the broker is up, whichever comes first: a start that has nothing to say does not wait for it,
 * and a broker that runs out of files, say, has it already.
 */
import { createRequire } from 'node:module';
import type { Logger as PinoLogger, pino } from 'pino';

export type LogFields = Readonly<Record<string, unknown>>;

/** Fields first, then a message that is the same for all events of a kind. An error goes in the field `err`. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
}

/** The logger of a broker; its level can be changed at any time. */
export interface RootLogger extends Logger {
  /** `ringlog.log.level`. */
  level: string;
  /** Loads what writes lines, so that the next one waits for nothing. */
  load(): void;
}

export interface LoggerOptions {
  /** `ringlog.log.level`. */
  readonly level: string;
  /** Where lines go; standard error unless somebody says otherwise. */
  readonly destination?: { write(line: string): void };
}

/** The least urgent first; `silent` is above all that can be written. */
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const DEBUG = LEVELS.indexOf('debug');
const INFO = LEVELS.indexOf('info');
const WARN = LEVELS.indexOf('warn');
const ERROR = LEVELS.indexOf('error');
const FATAL = LEVELS.indexOf('fatal');

/** Lines are written synchronously: the last line before a crash is the one that matters. */
export function createLogger(options: LoggerOptions): RootLogger {
  return new LateLogger(options);
}

class LateLogger implements RootLogger {
  private readonly destination: LoggerOptions['destination'];
  private library: PinoLogger | null = null;
  private name: string;
  private least: number;

  constructor({ level, destination }: LoggerOptions) {
    this.destination = destination;
    this.name = level;
    this.least = LEVELS.indexOf(level);
  }

  get level(): string {
    return this.name;
  }

  set level(level: string) {
    this.name = level;
    this.least = LEVELS.indexOf(level);
  }

  debug(fields: LogFields, message: string): void {
    if (this.least <= DEBUG) this.load().debug(fields, message);
  }

  info(fields: LogFields, message: string): void {
    if (this.least <= INFO) this.load().info(fields, message);
  }

  warn(fields: LogFields, message: string): void {
    if (this.least <= WARN) this.load().warn(fields, message);
  }

  error(fields: LogFields, message: string): void {
    if (this.least <= ERROR) this.load().error(fields, message);
  }

  fatal(fields: LogFields, message: string): void {
    if (this.least <= FATAL) this.load().fatal(fields, message);
  }

  load(): PinoLogger {
    return (this.library ??= libraryLogger(this.destination));
  }
}

/** Writes every line it is given: which are worth it is decided before. */
function libraryLogger(destination: LoggerOptions['destination']): PinoLogger {
  const library = createRequire(import.meta.url)('pino') as typeof pino;
  const options = {
    level: 'trace',
    base: { pid: process.pid },
    timestamp: library.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return library(options, destination ?? library.destination({ fd: 2, sync: true }));
}
