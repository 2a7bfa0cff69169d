/**
 * Structured log lines (JSON) on standard error. A thin layer, so that nothing else knows which library writes them.
 *
 * The library is loaded by the first line that is written, or once the broker is up, whichever comes first: a start that has nothing to say does not wait for it.
 * Where it cannot be loaded, because no more files can be opened, say, lines are written without it.
 */
import { createRequire } from 'node:module';
import type { Logger as PinoLogger, pino } from 'pino';
import { plainLines } from './plain-lines.ts';

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
  /** The descriptor they go to without that, for tests. */
  readonly descriptor?: number;
  /** Another way to the library, for tests. */
  readonly loadLibrary?: (destination: LoggerOptions['destination'], descriptor: number) => PinoLogger;
}

const STANDARD_ERROR = 2;
/** What could not be written is tried again with the next line, up to so many bytes; beyond them lines are lost. */
const UNWRITTEN_BYTES_MAX = 1 << 20;

/** The least urgent first; `silent` is above all that can be written. */
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];
const DEBUG = LEVELS.indexOf('debug');
const INFO = LEVELS.indexOf('info');
const WARN = LEVELS.indexOf('warn');
const ERROR = LEVELS.indexOf('error');
const FATAL = LEVELS.indexOf('fatal');

/**
 * Lines are written synchronously: the last line before a crash is the one that matters. One that cannot be written (standard error is a file on a full disk, say)
 * is the loss of that line and of nothing else.
 */
export function createLogger(options: LoggerOptions): RootLogger {
  return new LateLogger(options);
}

class LateLogger implements RootLogger {
  private readonly destination: LoggerOptions['destination'];
  private readonly descriptor: number;
  private readonly loadLibrary: NonNullable<LoggerOptions['loadLibrary']>;
  private library: PinoLogger | null = null;
  private name: string;
  private least: number;

  constructor({ level, destination, descriptor = STANDARD_ERROR, loadLibrary = libraryLogger }: LoggerOptions) {
    this.destination = destination;
    this.descriptor = descriptor;
    this.loadLibrary = loadLibrary;
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
    if (this.least <= DEBUG) this.write('debug', fields, message);
  }

  info(fields: LogFields, message: string): void {
    if (this.least <= INFO) this.write('info', fields, message);
  }

  warn(fields: LogFields, message: string): void {
    if (this.least <= WARN) this.write('warn', fields, message);
  }

  error(fields: LogFields, message: string): void {
    if (this.least <= ERROR) this.write('error', fields, message);
  }

  fatal(fields: LogFields, message: string): void {
    if (this.least <= FATAL) this.write('fatal', fields, message);
  }

  load(): void {
    this.lines();
  }

  private write(level: keyof Logger, fields: LogFields, message: string): void {
    try {
      this.lines()[level](fields, message);
    } catch {
      // Whoever has something to say is in the middle of something else, which goes on.
    }
  }

  /** What writes the next line. */
  private lines(): Logger {
    const { destination, descriptor } = this;
    try {
      return (this.library ??= this.loadLibrary(destination, descriptor));
    } catch {
      // No file can be opened, say. The line is still written, and the next one tries again.
      return plainLines(destination === undefined ? undefined : (line) => destination.write(line));
    }
  }
}

/** Writes every line it is given: which are worth it is decided before. */
function libraryLogger(destination: LoggerOptions['destination'], fd: number): PinoLogger {
  const library = createRequire(import.meta.url)('pino') as typeof pino;
  const options = {
    level: 'trace',
    base: { pid: process.pid },
    timestamp: library.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (destination !== undefined) return library(options, destination);
  const lines = library.destination({ fd, sync: true, maxLength: UNWRITTEN_BYTES_MAX });
  // Without anybody who listens it would be thrown at whoever writes.
  lines.on('error', () => undefined);
  // Not itself: behind a fatal line it would be told to flush, and goes round without end where there is no room.
  return library(options, { write: (line) => void lines.write(line) });
}
