import { describe, expect, it } from 'vitest';
import { Counters } from '../../../src/telemetry/counters.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';

describe('counters', () => {
  it('are seen through another view of the same memory', () => {
    const counters = new Counters(['requests', 'bytes']);
    const other = new Counters(['requests', 'bytes'], counters.memory);
    counters.add(counters.indexOf('bytes'), 1000);
    counters.add(counters.indexOf('bytes'), 24);
    expect(other.value('bytes')).toBe(1024);
    expect(other.snapshot()).toEqual({ requests: 0, bytes: 1024 });
  });

  it('refuse a name twice and memory of another size', () => {
    expect(() => new Counters(['a', 'a'])).toThrow(/twice/);
    expect(() => new Counters(['a'], new SharedArrayBuffer(16))).toThrow(/another size/);
  });
});

describe('the logger', () => {
  it('writes one line of JSON for each event at or above its level', () => {
    const lines: string[] = [];
    const logger = createLogger({ level: 'info', destination: { write: (line) => void lines.push(line) } });
    logger.debug({}, 'not written');
    logger.child({ thread: 'shard-0' }).warn({ err: new Error('broken'), topic: 't' }, 'something happened');
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0]!)).toMatchObject({
      level: 'warn',
      thread: 'shard-0',
      topic: 't',
      msg: 'something happened',
      err: { type: 'Error', message: 'broken' },
    });
  });

  it('writes nothing when it is silent', () => {
    const lines: string[] = [];
    createLogger({ level: 'silent', destination: { write: (line) => void lines.push(line) } }).fatal({}, 'not written');
    expect(lines).toEqual([]);
  });
});
