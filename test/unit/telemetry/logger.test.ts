import { closeSync, existsSync, openSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createLogger, type RootLogger } from '../../../src/telemetry/logger.ts';

/** A logger and the lines it has written. */
function logger(level: string): { logger: RootLogger; lines: string[] } {
  const lines: string[] = [];
  return { logger: createLogger({ level, destination: { write: (line) => void lines.push(line) } }), lines };
}

function writeEach(each: RootLogger): void {
  for (const level of ['debug', 'info', 'warn', 'error', 'fatal'] as const) each[level]({}, level);
}

const levelsOf = (lines: readonly string[]): unknown[] => lines.map((line) => (JSON.parse(line) as { level: unknown }).level);

describe('the logger', () => {
  it.runIf(existsSync('/dev/full'))(
    'whose lines find a full disk, no file at all, or somebody who throws, says nothing of it to whoever logs',
    () => {
      const full = openSync('/dev/full', 'w');
      const log = createLogger({ level: 'trace', descriptor: full });
      for (let n = 0; n < 3; n++) writeEach(log);
      const closed = createLogger({ level: 'trace', descriptor: 2 ** 30 });
      for (let n = 0; n < 3; n++) writeEach(closed);
      const broken = createLogger({
        level: 'trace',
        destination: {
          write: () => {
            throw new Error('no room');
          },
        },
      });
      writeEach(broken);
      closeSync(full);
    },
  );

  it('writes one line of JSON for each event, with its fields, the process and the time', () => {
    const { logger: log, lines } = logger('info');
    log.warn({ err: new Error('broken'), topic: 't' }, 'something happened');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\{.*\}\n$/);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'warn',
      pid: process.pid,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      topic: 't',
      msg: 'something happened',
      err: { type: 'Error', message: 'broken' },
    });
  });

  it.each([
    ['trace', ['debug', 'info', 'warn', 'error', 'fatal']],
    ['debug', ['debug', 'info', 'warn', 'error', 'fatal']],
    ['info', ['info', 'warn', 'error', 'fatal']],
    ['warn', ['warn', 'error', 'fatal']],
    ['error', ['error', 'fatal']],
    ['fatal', ['fatal']],
    ['silent', []],
  ])('at level %s writes %j', (level, written) => {
    const { logger: log, lines } = logger(level);
    writeEach(log);
    expect(levelsOf(lines)).toEqual(written);
  });

  it('goes by a level that is changed, also when lines were written before', () => {
    const { logger: log, lines } = logger('silent');
    writeEach(log);
    log.level = 'error';
    expect(log.level).toBe('error');
    writeEach(log);
    log.level = 'debug';
    log.debug({}, 'wanted now');
    log.level = 'fatal';
    log.error({}, 'not wanted any more');
    expect(levelsOf(lines)).toEqual(['error', 'fatal', 'debug']);
  });

  it('writes nothing because what writes is loaded', () => {
    const { logger: log, lines } = logger('trace');
    log.load();
    expect(lines).toEqual([]);
  });

  it('writes the same lines while its library cannot be loaded, and tries again', () => {
    const lines: string[] = [];
    let attempts = 0;
    const log = createLogger({
      level: 'info',
      destination: { write: (line) => void lines.push(line) },
      loadLibrary: () => {
        attempts++;
        throw new Error('EMFILE: too many open files');
      },
    });
    log.load();
    log.debug({}, 'not wanted');
    log.error({ err: new Error('broken'), offset: 1n, topic: 't' }, 'something happened');
    log.info({}, 'more');
    expect(attempts).toBe(3);
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      level: 'error',
      pid: process.pid,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      topic: 't',
      offset: '1',
      msg: 'something happened',
      err: { type: 'Error', message: 'broken' },
    });
    expect(levelsOf(lines)).toEqual(['error', 'info']);
  });
});
