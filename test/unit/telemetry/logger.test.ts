import { describe, expect, it } from 'vitest';
import { createLogger } from '../../../src/telemetry/logger.ts';

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
