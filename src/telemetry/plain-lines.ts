/** Log lines without a library, for the moment in which none can be loaded: the same shape, nothing but what such a line needs. */
import type { Logger, LogFields } from './logger.ts';

/** @param write one line, its end included; standard error unless somebody says otherwise */
export function plainLines(write: (line: string) => void = (line) => void process.stderr.write(line)): Logger {
  const at =
    (level: string) =>
    (fields: LogFields, msg: string): void =>
      write(`${JSON.stringify({ level, time: new Date().toISOString(), pid: process.pid, ...fields, msg }, plainError)}\n`);
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), fatal: at('fatal') };
}

function plainError(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  return value instanceof Error ? { type: value.name, message: value.message, stack: value.stack } : value;
}
