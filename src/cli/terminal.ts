/**
 * What a command has around it, handed to it: streams, environment, the wish that it ends. That of a process is in process-terminal.ts, tests have one of their own.
 *
 * And what commands print: lines, tables, JSON on standard output; progress on standard error, and only where a person watches.
 */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

/** A stream to write to, and whether a person watches it. */
export interface OutputStream extends Writable {
  readonly isTTY?: boolean | undefined;
  /** Width, where a person watches. */
  readonly columns?: number | undefined;
}

/** Where a command runs. */
export interface Terminal {
  /** Asked for only by commands that read it: to open it can keep a process alive. */
  readonly stdin: Readable;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How the command ended, where it did not throw; 0 until a command says otherwise. */
  exitCode: number;
  /** Aborted by the first Ctrl-C or SIGTERM, so that a command can end in order. Who does not ask is ended at once. */
  interruption(): AbortSignal;
}

/** How often a progress line is drawn anew, ms. */
const PROGRESS_MS = 200;
const CLEAR_LINE = '\r\u001B[K';

/** A line of standard output. */
export function printLine({ stdout }: Terminal, text: string): void {
  stdout.write(`${text}\n`);
}

/** Anything as JSON, for programs. */
export function printJson(terminal: Terminal, value: unknown): void {
  printLine(terminal, JSON.stringify(value, null, 2));
}

/** A line of standard error, for what is no result. */
export function printNotice({ stderr }: Terminal, text: string): void {
  stderr.write(`ringlog: ${text}\n`);
}

/** Writes, and waits while whoever reads our output is slower than we are. */
export async function writeOut({ stdout }: Terminal, chunk: Uint8Array | string): Promise<void> {
  if (!stdout.write(chunk)) await once(stdout, 'drain');
}

/** Rows under a heading, in columns; numbers to the right. */
export function table(heading: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [heading, ...rows].map((row) => row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)));
  const widths = heading.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const isNumber = heading.map(
    (_, column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number' || row[column] === '-'),
  );
  return lines
    .map((line) => line.map((cell, column) => (isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0))))
    .map((cells) => cells.join('  ').trimEnd())
    .join('\n');
}

/** Bytes for a person: `1.5 MiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function countText(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** `1 record`, `2 records`. */
export function plural(count: number, word: string): string {
  return `${countText(count)} ${word}${count === 1 ? '' : 's'}`;
}

/** A line that says how far something has come, drawn over and over; nothing at all where standard error is no terminal. */
export class Progress {
  readonly #stream: OutputStream;
  readonly #text: () => string;
  readonly #timer: NodeJS.Timeout | undefined;

  /** @param text the line as of now, short */
  constructor({ stderr }: Terminal, text: () => string) {
    this.#stream = stderr;
    this.#text = text;
    if (stderr.isTTY) this.#timer = setInterval(() => this.#draw(), PROGRESS_MS).unref();
  }

  #draw(): void {
    const columns = this.#stream.columns || 80;
    this.#stream.write(`${CLEAR_LINE}${this.#text().slice(0, columns - 1)}`);
  }

  /** Takes the line away. May be called again. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#stream.write(CLEAR_LINE);
  }
}

/** `[██████░░░░]  60 %` */
export function bar(done: number, total: number, width = 24): string {
  const part = total <= 0 ? 1 : Math.min(1, done / total);
  const full = Math.floor(part * width);
  return `[${'█'.repeat(full)}${'░'.repeat(width - full)}] ${String(Math.floor(part * 100)).padStart(3)} %`;
}
