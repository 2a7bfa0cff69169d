import { expect, it } from 'vitest';
import { foreignProtocol } from '../../../src/main/foreign-protocol.ts';

const seen = (bytes: string | number[]): string | null =>
  foreignProtocol(Buffer.from(typeof bytes === 'string' ? bytes : Uint8Array.from(bytes)).readInt32BE(0));

it.each(['GET ', 'POST', 'HEAD', 'PUT ', 'DELETE', 'CONNECT', 'OPTIONS', 'PATCH', 'TRACE', 'PRI * HTTP/2.0'])(
  'knows HTTP by %s',
  (method) => {
    expect(seen(method)).toContain('HTTP');
  },
);

it('knows TLS by its first record, and nothing that only resembles one', () => {
  for (const minor of [0, 1, 2, 3, 4]) expect(seen([0x16, 3, minor, 2])).toContain('TLS');
  expect(seen([0x16, 3, 5, 2])).toBeNull();
  expect(seen([0x16, 4, 1, 2])).toBeNull();
  expect(seen([0x17, 3, 1, 2])).toBeNull();
});

it('says nothing of sizes that are only wrong', () => {
  for (const size of [0, -1, -(2 ** 31), 2 ** 31 - 1, 104_857_601]) expect(foreignProtocol(size)).toBeNull();
});
