/** Records as output: only the value, key and value, a JSON object a line, or a pattern of one's own. Bytes come out as they are. */
import { InvalidArgumentError } from 'commander';
import type { IncomingRecord } from '../kafka/types.ts';
import { textOrBase64 } from './text.ts';
import { unescaped } from '../values.ts';

/** The bytes that stand for a record, its end of line included. */
export type Formatter = (record: IncomingRecord) => Buffer;

type Piece = Buffer | ((record: IncomingRecord) => Buffer | string);

const NEWLINE = Buffer.from('\n');
const NOTHING = Buffer.alloc(0);

/** What `%x` stands for in a pattern; the letters are kcat's where kcat has one. */
const TOKENS: Readonly<Record<string, (record: IncomingRecord) => Buffer | string>> = {
  t: ({ topic }) => topic,
  p: ({ partition }) => String(partition),
  o: ({ offset }) => String(offset),
  k: ({ key }) => key ?? NOTHING,
  s: ({ value }) => value ?? NOTHING,
  K: ({ key }) => String(key?.length ?? -1),
  S: ({ value }) => String(value?.length ?? -1),
  T: ({ timestampMs }) => String(timestampMs),
  D: ({ timestampMs }) => timeText(timestampMs),
  h: ({ headers }) => headers.map(([name, value]) => `${name}=${value?.toString() ?? ''}`).join(','),
};

export const FORMAT_HELP = `
Formats (--format):
  value       the value and a newline (default)
  key-value   key, separator (a tab, or --key-separator), value, newline
  json        one JSON object a line; bytes that are not UTF-8 as {"base64": "..."}
  a pattern   %t topic  %p partition  %o offset  %k key  %s value  %h headers  %T timestamp, ms
              %D the same as a date  %K %S length of key and value, -1 for null  %% a percent sign
              \\n \\t \\0 \\\\ \\x1f  what cannot be typed; nothing is put behind a record by itself`;

/** Understands the text of `--format`. */
export function formatter(format: string, keySeparator: string): Formatter {
  if (format === 'json') return (record) => Buffer.from(`${JSON.stringify(asJson(record))}\n`);
  if (format === 'value') return compiled([(record) => record.value ?? NOTHING, NEWLINE]);
  if (format === 'key-value') {
    return compiled([(record) => record.key ?? NOTHING, Buffer.from(keySeparator), (record) => record.value ?? NOTHING, NEWLINE]);
  }
  if (!format.includes('%')) throw new InvalidArgumentError('It must be value, key-value, json, or a pattern such as "%o %k %s\\n".');
  return compiled(pieces(format));
}

function pieces(pattern: string): Piece[] {
  const found: Piece[] = [];
  for (const part of pattern.split(/(%[\s\S]?)/)) {
    if (part === '%%') found.push(Buffer.from('%'));
    else if (part.startsWith('%')) {
      const token = TOKENS[part.slice(1)];
      if (token === undefined)
        throw new InvalidArgumentError(
          `"${part}" stands for nothing; there is %${Object.keys(TOKENS).join(', %')} and %% for a percent sign.`,
        );
      found.push(token);
    } else if (part !== '') found.push(Buffer.from(unescaped(part)));
  }
  return found;
}

function compiled(all: readonly Piece[]): Formatter {
  return (record) => Buffer.concat(all.map((piece) => (Buffer.isBuffer(piece) ? piece : bytesOf(piece(record)))));
}

function bytesOf(value: Buffer | string): Buffer {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

function asJson({ topic, partition, offset, timestampMs, key, value, headers }: IncomingRecord) {
  const named = headers.map(([name, each]) => ({ name, value: textOrBase64(each) }));
  return { topic, partition, offset, timestamp: timestampMs, key: textOrBase64(key), value: textOrBase64(value), headers: named };
}

function timeText(ms: number): string {
  return ms < 0 || ms > 8.64e15 ? '-' : new Date(ms).toISOString();
}
