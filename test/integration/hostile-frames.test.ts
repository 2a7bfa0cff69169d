/** Bytes that are no request, or not quite: each costs its sender the connection and one line in the log, and nobody else anything. */
import { describe, expect, it } from 'vitest';
import { ApiKey, SERVED_APIS, type ServedApi } from '../../src/protocol/api-versions.ts';
import { SERVED_TABLES } from '../../src/protocol/apis/served.ts';
import { offsetCommit } from '../../src/protocol/apis/08-offset-commit.ts';
import { findCoordinator } from '../../src/protocol/apis/10-find-coordinator.ts';
import { apiVersions } from '../../src/protocol/apis/18-api-versions.ts';
import { ErrorCode } from '../../src/protocol/errors.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../../src/protocol/frame.ts';
import { defaultOf, planOf, type FieldPlan, type StructPlan } from '../../src/protocol/plan.ts';
import type { Api } from '../../src/protocol/schema.ts';
import { Prng } from '../../src/lib/prng.ts';
import { VERSIONS } from '../support/kafka-client.ts';
import { int16, int32, int8, rawFrame, sized } from '../support/raw-bytes.ts';
import { Siege } from '../support/siege.ts';
import { batchOf, produceFrame } from '../support/wire-client.ts';

const API_VERSIONS_KEY = 18;
const PRODUCE_KEY = 0;
/** Five bytes that go on: no varint of 32 bits has a sixth. */
const DEEP_VARINT = Buffer.alloc(64, 0x80);
const HUGE_VARINT = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]);

const isFlexible = (api: ServedApi, version: number): boolean => api.flexible >= 0 && version >= api.flexible;
/** Requests that have no body at all: nothing can be missing in it, and what is behind the header is not looked at. */
const isEmpty = ({ key }: ServedApi, version: number): boolean => (key === API_VERSIONS_KEY || key === ApiKey.LIST_GROUPS) && version < 3;
const withoutApiVersions = SERVED_APIS.filter(({ key }) => key !== API_VERSIONS_KEY);
/** The body of an InitProducerId request has no array: almost all bytes are one. */
const withArrays = withoutApiVersions.filter(({ key }) => key !== ApiKey.INIT_PRODUCER_ID);

/** Every served API in every version that is answered. */
function* everyVersion(apis = SERVED_APIS): Generator<[ServedApi, number]> {
  for (const api of apis) for (let version = api.key === PRODUCE_KEY ? 3 : api.min; version <= api.max; version++) yield [api, version];
}

const tableOf = (api: ServedApi): Api | undefined => SERVED_TABLES.find(({ key }) => key === api.key);

/** A value of that shape, one element in each array, whose strings are all `text`. */
function filled(plan: StructPlan, text: string): Record<string, unknown> {
  const value = (field: FieldPlan): unknown => {
    if (field.kind === 'string') return text;
    if (field.kind === 'array') return [value(field.element as FieldPlan)];
    return field.kind === 'struct' ? filled(field.struct as StructPlan, text) : defaultOf(field);
  };
  return Object.fromEntries(plan.fields.map((field) => [field.name, field.present ? value(field) : defaultOf(field)]));
}

describe('a size', () => {
  it.each([
    ['of zero', int32(0), 'a frame of 0 bytes'],
    ['below zero', int32(-1), 'a frame of -1 bytes'],
    ['of the least number there is', int32(-(2 ** 31)), 'a frame of -2147483648 bytes'],
    ['one above the limit', int32(100 * 1024 * 1024 + 1), 'a frame of 104857601 bytes'],
    ['of the largest number there is', int32(2 ** 31 - 1), 'a frame of 2147483647 bytes'],
  ])('%s closes the connection', async (_, size, said) => {
    const siege = await Siege.begin();
    await siege.closesOn(Buffer.concat([size, Buffer.alloc(100)]));
    await siege.complainsOnce(said);
    await siege.end();
  });

  it.each([
    ['TLS', Buffer.concat([Buffer.from('1603010200010001fc0303', 'hex'), Buffer.alloc(506, 7)]), 'looks like TLS'],
    ['HTTP', Buffer.from('GET /metrics HTTP/1.1\r\nHost: broker:9092\r\n\r\n'), 'looks like HTTP'],
  ])('that is the beginning of %s is said to be that, with what to do', async (_, bytes, said) => {
    const siege = await Siege.begin();
    await siege.closesOn(bytes);
    await siege.complainsOnce(said);
    await siege.end();
  });
});

describe('a header', () => {
  it.each([
    ['of an api that nobody knows', rawFrame(12_345, 0, false), 'unknown api 12345'],
    ['of an api below zero', rawFrame(-1, 0, false), 'unknown api -1'],
    [
      'with a client id longer than the frame',
      sized(int16(3), int16(1), int32(7), int16(32_767), Buffer.from('x')),
      'malformed request header',
    ],
    ['with a client id of less than no length', sized(int16(3), int16(1), int32(7), int16(-2)), 'malformed request header'],
    ['with tags that never end', sized(int16(3), int16(9), int32(7), int16(-1), DEEP_VARINT), 'malformed request header'],
    [
      'with four thousand million tags',
      sized(int16(3), int16(9), int32(7), int16(-1), HUGE_VARINT, Buffer.alloc(100)),
      'malformed request header',
    ],
    [
      'with a tag longer than the frame',
      sized(int16(3), int16(9), int32(7), int16(-1), int8(1), int8(5), HUGE_VARINT),
      'malformed request header',
    ],
  ])('%s closes the connection', async (_, bytes, said) => {
    const siege = await Siege.begin();
    await siege.closesOn(bytes);
    await siege.complainsOnce(said);
    await siege.end();
  });

  it('that is cut off anywhere closes the connection', async () => {
    const siege = await Siege.begin();
    const whole = encodeRequestFrame(apiVersions, 3, 7, 'evil', { clientSoftwareName: 'a', clientSoftwareVersion: 'b' });
    for (let bytes = 1; bytes < 14; bytes++) await siege.closesOn(sized(whole.subarray(4, 4 + bytes)));
    await siege.end();
  });

  it('of a version that is not served closes the connection, whatever the api', async () => {
    const siege = await Siege.begin();
    for (const api of withoutApiVersions)
      for (const version of [-1, api.min - 1, api.max + 1, 32_767])
        await siege.closesOn(rawFrame(api.key, version, false, Buffer.alloc(20)));
    expect(siege.complaints[0]?.['reason']).toContain('unsupported version -1 of api 0');
    await siege.end();
  });

  it('of ApiVersions in a version nobody knows is answered with the versions that are known', async () => {
    const siege = await Siege.begin();
    const attacker = await siege.attacker();
    attacker.write(rawFrame(API_VERSIONS_KEY, 99, true, Buffer.alloc(30, 0xff)));
    const answer = await attacker.next();
    const { body } = decodeResponseFrame(apiVersions, 0, answer, 0, answer.length);
    expect(body).toMatchObject({ errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys: [{ apiKey: API_VERSIONS_KEY, minVersion: 0 }] });
    // And it may try again on the same connection.
    attacker.write(encodeRequestFrame(apiVersions, 4, 8, 'evil', { clientSoftwareName: 'a', clientSoftwareVersion: 'b' }));
    expect((await attacker.next()).readInt32BE(0)).toBe(8);
    expect(siege.complaints).toEqual([]);
    await siege.end();
  });
});

describe('a body', () => {
  it('that is missing closes the connection or is answered, in every version of every api', async () => {
    const siege = await Siege.begin();
    for (const [api, version] of everyVersion()) {
      if (isEmpty(api, version)) continue;
      await siege.closesOn(rawFrame(api.key, version, isFlexible(api, version)));
    }
    await siege.end();
  });

  it('with an array of two thousand million elements, or of less than none, closes the connection, in every version of every api', async () => {
    const siege = await Siege.begin();
    for (const [api, version] of everyVersion(withArrays)) {
      if (isEmpty(api, version)) continue;
      const flexible = isFlexible(api, version);
      // Wherever an array begins: none of these bytes is a count that could be right.
      for (const fill of flexible ? [HUGE_VARINT, Buffer.from([0xfe, 0xff, 0xff, 0xff, 0x07])] : [int32(0x7f7f7f7f), int32(-2)]) {
        const body = Buffer.concat(Array.from({ length: 40 }, () => fill));
        await siege.closesOn(rawFrame(api.key, version, flexible, body));
      }
    }
    await siege.end();
  });

  it('of varints that never end closes the connection, in every flexible version of every api', async () => {
    const siege = await Siege.begin();
    for (const [api, version] of everyVersion())
      if (isFlexible(api, version)) await siege.closesOn(rawFrame(api.key, version, true, DEEP_VARINT));
    await siege.end();
  });

  it('with bytes that belong to nothing behind it is no worse than without', async () => {
    const siege = await Siege.begin();
    for (const [api, version] of everyVersion()) {
      const attacker = await siege.attacker();
      attacker.write(rawFrame(api.key, version, isFlexible(api, version), Buffer.alloc(500)));
      // Zeros mean something in some versions: those are answered. Then the connection is still in step, or it is closed.
      attacker.write(encodeRequestFrame(apiVersions, 0, 99, 'evil', {}));
      while (!attacker.closed) {
        const frame = await attacker.next().catch(() => null);
        if (frame === null || frame.readInt32BE(0) === 99) break;
        expect(frame.readInt32BE(0)).toBe(7);
      }
      attacker.destroy();
    }
    await siege.end();
  });

  it.each([
    ['bytes that are no UTF-8, too long to be said again', 0xff, 11_000],
    ['the longest that there may be', 'x'.charCodeAt(0), 32_767],
  ])('whose strings are all %s is answered or closes the connection, in every version of every api', async (_, byte, length) => {
    const siege = await Siege.begin();
    // Every string is found by its letters, and is replaced by bytes that no encoder would write.
    const letters = 'z'.repeat(length);
    const bytes = Buffer.alloc(length, byte);
    for (const [api, version] of everyVersion()) {
      const table = tableOf(api);
      if (table === undefined) continue;
      const frame = encodeRequestFrame(table, version, 7, 'evil', filled(planOf(table.request, version)!.root, letters) as never);
      for (let at = frame.indexOf(letters); at >= 0; at = frame.indexOf(letters, at + length)) bytes.copy(frame, at);
      const attacker = await siege.attacker();
      attacker.write(frame);
      attacker.write(encodeRequestFrame(apiVersions, 0, 99, 'evil', {}));
      for (let answer; (answer = await attacker.next().catch(() => null)) !== null;) if (answer.readInt32BE(0) === 99) break;
      attacker.destroy();
    }
    await siege.end();
  });

  it('of which a part is answered once it is durable, and the rest cannot be said again, closes the connection', async () => {
    const siege = await Siege.begin();
    const client = await siege.broker.connect();
    await client.createTopic('t');
    await client.request(findCoordinator, 4, { keyType: 0, coordinatorKeys: ['g'] });
    const letters = 'z'.repeat(11_000);
    const partitions = [{ partitionIndex: 0, committedOffset: 0n, committedMetadata: null }];
    for (let version = 2; version <= 9; version++) {
      const topics = ['t', letters].map((name) => ({ name, partitions }));
      const frame = encodeRequestFrame(offsetCommit, version, 7, 'evil', { groupId: `g${version}`, memberId: '', topics });
      Buffer.alloc(letters.length, 0xff).copy(frame, frame.indexOf(letters));
      await siege.closesOn(frame);
    }
    client.close();
    await siege.end();
  });

  it('of five million tags closes the connection, in its header and behind it', async () => {
    const siege = await Siege.begin();
    // Metadata of all topics; a tag of two bytes each time: its number, and no bytes.
    const tags = Buffer.concat([Buffer.from([0xc0, 0x96, 0xb1, 0x02]), Buffer.alloc(10_000_000, Buffer.from([0x40, 0x00]))]);
    const head = [int16(3), int16(9), int32(7), int16(4), Buffer.from('evil')];
    for (let round = 0; round < 5; round++) {
      await siege.closesOn(sized(...head, tags, Buffer.from([0, 0, 0, 0, 0])));
      await siege.closesOn(sized(...head, int8(0), Buffer.from([0, 0, 0, 0]), tags));
    }
    await siege.end();
  });

  it('of random bytes, a thousand times, hurts nobody', async () => {
    const siege = await Siege.begin();
    const prng = new Prng(20_261);
    for (let round = 0; round < 1000; round++) {
      const api = prng.pick(SERVED_APIS);
      const version = api.min + prng.below(api.max - api.min + 1);
      const body = Buffer.from(Array.from({ length: prng.below(80) }, () => (prng.chance(0.5) ? prng.below(4) : prng.below(256))));
      const attacker = await siege.attacker();
      attacker.write(rawFrame(api.key, version, isFlexible(api, version), body));
      attacker.destroy();
    }
    await siege.end();
  });

  it('cut anywhere, of every api, closes the connection', async () => {
    const siege = await Siege.begin();
    const bodies: Record<string, object> = {
      Fetch: {
        maxWaitMs: 0,
        minBytes: 0,
        maxBytes: 1,
        topics: [{ topic: 'a', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }] }],
        forgottenTopicsData: [],
        rackId: '',
      },
      ListOffsets: { replicaId: -1, isolationLevel: 0, topics: [{ name: 'a', partitions: [{ partitionIndex: 0, timestamp: -1 }] }] },
      Metadata: { topics: [{ name: 'a' }], allowAutoTopicCreation: false, includeTopicAuthorizedOperations: false },
      DeleteRecords: { topics: [{ name: 'a', partitions: [{ partitionIndex: 0, offset: 0 }] }], timeoutMs: 1 },
    };
    const versions: Record<string, number> = {
      Fetch: VERSIONS.fetch,
      ListOffsets: VERSIONS.listOffsets,
      Metadata: VERSIONS.metadata,
      DeleteRecords: VERSIONS.deleteRecords,
    };
    const frames = Object.entries(bodies).map(([name, body]) => {
      const api = SERVED_TABLES.find((table) => table.name === name);
      if (api === undefined) throw new Error(`no table of ${name}`);
      return encodeRequestFrame(api, versions[name] as number, 7, 'evil', body as never);
    });
    frames.push(produceFrame(7, 'a', [{ partition: 0, records: batchOf(10) }]));
    for (const frame of frames) for (let end = 20; end < frame.length - 1; end += 3) await siege.closesOn(sized(frame.subarray(4, end)));
    await siege.end();
  });
});
