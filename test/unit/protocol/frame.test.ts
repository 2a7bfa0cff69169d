import { describe, expect, it } from 'vitest';
import { heartbeat } from '../../../src/protocol/apis/12-heartbeat.ts';
import { metadata } from '../../../src/protocol/apis/03-metadata.ts';
import { apiVersions } from '../../../src/protocol/apis/18-api-versions.ts';
import {
  clientIdOf,
  decodeRequestFrame,
  decodeResponseFrame,
  encodeRequestFrame,
  encodeResponseFrame,
  HeaderStatus,
  parseRequestHeader,
  RequestHeader,
} from '../../../src/protocol/frame.ts';
import { SKIPPED_TAGS_MAX } from '../../../src/protocol/skip.ts';
import { EncodeError, MalformedError } from '../../../src/protocol/protocol-errors.ts';

describe('a request header', () => {
  const header = new RequestHeader();
  const request = { topics: [{ name: 'a' }] };

  it.each([
    [1, 'client'],
    [1, ''],
    [1, null],
    [12, 'client-é'],
    [12, null],
  ] as const)('of Metadata %i with client id %j is parsed in place', (version, clientId) => {
    const frame = encodeRequestFrame(metadata, version, -7, clientId, request);
    const buffer = Buffer.concat([Buffer.alloc(3), frame, Buffer.alloc(3)]);
    expect(frame.readInt32BE(0)).toBe(frame.length - 4);
    expect(parseRequestHeader(buffer, 7, 3 + frame.length, header)).toBe(HeaderStatus.OK);
    expect(header).toMatchObject({ apiKey: 3, apiVersion: version, correlationId: -7 });
    expect(clientIdOf(buffer, header)).toBe(clientId);
    expect(decodeRequestFrame(metadata, buffer, 7, 3 + frame.length).body.topics).toMatchObject([{ name: 'a' }]);
    for (let end = 7; end < header.bodyStart; end++) expect(parseRequestHeader(buffer, 7, end, header)).toBe(HeaderStatus.MALFORMED);
  });

  it('may carry tags, which are skipped', () => {
    const frame = Buffer.from('0003000c00000001' + 'ffff' + '02' + '0001aa' + '870102bbcc' + 'ee', 'hex');
    expect(parseRequestHeader(frame, 0, frame.length, header)).toBe(HeaderStatus.OK);
    expect(header.bodyStart).toBe(frame.length - 1);
    for (let end = 0; end < frame.length - 1; end++) expect(parseRequestHeader(frame, 0, end, header)).toBe(HeaderStatus.MALFORMED);
  });

  it('may carry a thousand of them and no more', () => {
    for (const [count, status] of [
      [SKIPPED_TAGS_MAX, HeaderStatus.OK],
      [SKIPPED_TAGS_MAX + 1, HeaderStatus.MALFORMED],
    ] as const) {
      const start = Buffer.from('0003000c00000001ffff', 'hex');
      const tags = Buffer.alloc(2 * count, Buffer.from([0x40, 0x00]));
      const frame = Buffer.concat([start, Buffer.from([(count & 0x7f) | 0x80, count >> 7]), tags]);
      expect(parseRequestHeader(frame, 0, frame.length, header)).toBe(status);
    }
  });

  it('of an unknown API or version still tells key, version and correlation id', () => {
    const unknown = Buffer.from('7fff000100000005', 'hex');
    expect(parseRequestHeader(unknown, 0, 8, header)).toBe(HeaderStatus.UNKNOWN_API);
    expect(header).toMatchObject({ apiKey: 0x7fff, apiVersion: 1, correlationId: 5 });
    const future = Buffer.from('0012006300000006', 'hex');
    expect(parseRequestHeader(future, 0, 8, header)).toBe(HeaderStatus.UNSUPPORTED_VERSION);
    expect(header).toMatchObject({ apiKey: 18, apiVersion: 99, correlationId: 6 });
  });

  it('with a client id length below -1 is malformed', () => {
    expect(parseRequestHeader(Buffer.from('0003000100000001fffe', 'hex'), 0, 10, header)).toBe(HeaderStatus.MALFORMED);
  });

  it('with a client id that is too long is not written', () => {
    expect(() => encodeRequestFrame(metadata, 1, 1, 'x'.repeat(40000), request)).toThrow(EncodeError);
  });
});

describe('a response frame', () => {
  it('has a tag section in its header if the version is flexible', () => {
    expect(encodeResponseFrame(heartbeat, 3, 1, { errorCode: 27 }).toString('hex')).toBe('0000000a' + '00000001' + '00000000' + '001b');
    expect(encodeResponseFrame(heartbeat, 4, 1, { errorCode: 27 }).toString('hex')).toBe(
      '0000000c' + '00000001' + '00' + '00000000' + '001b' + '00',
    );
  });

  it('of ApiVersions never has one', () => {
    const frame = encodeResponseFrame(apiVersions, 3, 9, { errorCode: 0, apiKeys: [] });
    expect(frame.toString('hex')).toBe('0000000c' + '00000009' + '0000' + '01' + '00000000' + '00');
    expect(decodeResponseFrame(apiVersions, 3, frame, 4, frame.length)).toMatchObject({ correlationId: 9, body: { errorCode: 0 } });
  });

  it('that refuses a version of ApiVersions is one of version 0', () => {
    const frame = encodeResponseFrame(apiVersions, 0, 3, { errorCode: 35, apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }] });
    expect(frame.toString('hex')).toBe('00000010' + '00000003' + '0023' + '00000001' + '0012' + '0000' + '0004');
  });

  it('that is cut short is malformed', () => {
    const frame = encodeResponseFrame(heartbeat, 4, 1, { errorCode: 27 });
    for (let end = 4; end < frame.length; end++) expect(() => decodeResponseFrame(heartbeat, 4, frame, 4, end)).toThrow(MalformedError);
    expect(() => decodeRequestFrame(heartbeat, frame, 4, frame.length)).toThrow(MalformedError);
  });
});
