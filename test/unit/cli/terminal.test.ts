import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { printJson, printNotice, Progress, writeOut, type Terminal } from '../../../src/cli/terminal.ts';

/** All that a stream has by now: `read` gives one chunk of it, or everything, as Node.js's version has it. */
function readAll(stream: PassThrough): string {
  let text = '';
  for (let chunk; (chunk = stream.read() as Buffer | null) !== null;) text += String(chunk);
  return text;
}

/** A terminal, and what it shows so far. */
function terminalOf(watched: { isTTY?: boolean; columns?: number } = {}) {
  const stdout = new PassThrough();
  const stderr = Object.assign(new PassThrough(), watched);
  const terminal: Terminal = {
    stdin: new PassThrough(),
    stdout,
    stderr,
    environment: {},
    exitCode: 0,
    interruption: () => new AbortController().signal,
  };
  return { terminal, stdout, shown: () => readAll(stderr), printed: () => readAll(stdout) };
}

describe('what a command prints', () => {
  it('is its result on standard output, and anything else on standard error', () => {
    const { terminal, shown, printed } = terminalOf();
    printJson(terminal, { a: 1 });
    printNotice(terminal, 'so it is');
    expect([printed(), shown()]).toEqual(['{\n  "a": 1\n}\n', 'ringlog: so it is\n']);
  });

  it('waits for a slow reader', async () => {
    const { terminal, stdout } = terminalOf();
    const more = Buffer.alloc(stdout.writableHighWaterMark);
    let isWritten = false;
    const written = writeOut(terminal, more).then(() => (isWritten = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isWritten).toBe(false);
    stdout.resume();
    await written;
  });
});

describe('progress', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is one line that is drawn over and over, no wider than the terminal, and taken away in the end', () => {
    const { terminal, shown } = terminalOf({ isTTY: true, columns: 8 });
    let part = 0;
    const progress = new Progress(terminal, () => `${part++} of many`);
    vi.advanceTimersByTime(400);
    progress.stop();
    vi.advanceTimersByTime(400);
    expect(shown()).toBe('\r\u001B[K0 of ma\r\u001B[K1 of ma\r\u001B[K');
  });

  it('is not shown where no person watches', () => {
    const { terminal, shown } = terminalOf();
    const progress = new Progress(terminal, () => 'half');
    vi.advanceTimersByTime(1000);
    progress.stop();
    expect(shown()).toBe('');
  });
});
