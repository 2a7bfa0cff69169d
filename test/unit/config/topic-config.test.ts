import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts';
import { CONFIG_SOURCE, describeBrokerConfigs, describeTopicConfigs } from '../../../src/config/describe.ts';
import { TOPIC_CONFIGS } from '../../../src/config/topic-table.ts';
import { isSameConfig, resolveTopicConfig, validateTopicConfig, validateTopicConfigs } from '../../../src/config/topic-config.ts';

const broker = resolveBrokerConfig();

describe('topic settings', () => {
  it('come from the topic, else from the broker, else from the table', () => {
    const configured = resolveBrokerConfig({ set: ['log.segment.bytes=2097152', 'message.max.bytes=5000'] });
    expect(resolveTopicConfig({}, broker)).toMatchObject({
      segmentBytes: 1073741824,
      maxMessageBytes: 1048588,
      durability: 'fsync',
      minInsyncReplicas: 1,
    });
    expect(resolveTopicConfig({}, configured)).toMatchObject({ segmentBytes: 2097152, maxMessageBytes: 5000 });
    expect(resolveTopicConfig({ 'segment.bytes': '1048576' }, configured)).toMatchObject({ segmentBytes: 1048576, maxMessageBytes: 5000 });
  });

  it('are the same when all of them mean the same, those of compaction too', () => {
    const of = (overrides: Record<string, string>) => resolveTopicConfig(overrides, broker);
    expect(isSameConfig(of({}), of({}))).toBe(true);
    expect(isSameConfig(of({ 'retention.ms': '604800000' }), of({}))).toBe(true);
    expect(isSameConfig(of({ 'retention.ms': '5' }), of({}))).toBe(false);
    expect(isSameConfig(of({ 'min.compaction.lag.ms': '5' }), of({}))).toBe(false);
  });

  it('stand for no limit as Infinity', () => {
    expect(resolveTopicConfig({}, broker)).toMatchObject({
      messageTimestampBeforeMsMax: Infinity,
      retentionBytes: Infinity,
      retentionMs: 604800000,
    });
    expect(resolveTopicConfig({ 'retention.ms': '-1' }, broker).retentionMs).toBe(Infinity);
  });

  it('let records be a little ahead of the clock, as Kafka does', () => {
    expect(resolveTopicConfig({}, broker)).toMatchObject({ messageTimestampAfterMsMax: 3_600_000, messageTimestampBeforeMsMax: Infinity });
    expect(resolveTopicConfig({ 'message.timestamp.after.max.ms': '9223372036854775807' }, broker).messageTimestampAfterMsMax).toBe(
      Infinity,
    );
  });

  it('take any flush.messages and flush.ms but never as fsync, under the topic’s own durability', () => {
    const fast = resolveBrokerConfig({ set: ['ringlog.durability=page-cache'] });
    expect(resolveTopicConfig({}, fast).durability).toBe('page-cache');
    for (const [name, value] of [
      ['flush.messages', '1'],
      ['flush.messages', ' 5000 '],
      ['flush.ms', '0'],
      ['flush.ms', '+1000'],
    ] as const) {
      expect(resolveTopicConfig({ [name]: value }, fast).durability).toBe('fsync');
      expect(validateTopicConfigs({ [name]: value, 'ringlog.durability': 'page-cache' })).toBe(
        `${name}=${value.trim()} asks for fsync but ringlog.durability is page-cache; set one of them.`,
      );
    }
    for (const name of ['flush.messages', 'flush.ms']) {
      const never = { [name]: '9223372036854775807' };
      expect(resolveTopicConfig(never, fast).durability).toBe('page-cache');
      expect(validateTopicConfigs({ ...never, 'ringlog.durability': 'memory' })).toBeUndefined();
    }
    expect(resolveTopicConfig({ 'ringlog.durability': 'memory' }, fast).durability).toBe('memory');
    expect(validateTopicConfigs({ 'flush.messages': '1', 'ringlog.durability': 'fsync' })).toBeUndefined();
  });

  it('count a stored value that is no longer legal as not set', () => {
    expect(resolveTopicConfig({ 'segment.bytes': '3', 'ringlog.durability': 'later' }, broker)).toMatchObject({
      segmentBytes: 1073741824,
      durability: 'fsync',
    });
  });

  it.each([
    ['flush.messages', '0', /from 1 to 9223372036854775807/],
    ['flush.ms', '-1', /from 0 to 9223372036854775807/],
    ['message.timestamp.after.max.ms', '-1', /from 0 to 9223372036854775807/],
    ['cleanup.policy', 'delete,delete', /without empty or repeated items/],
    ['cleanup.policy', '', /comma-separated list of compact, delete/],
    ['retention.ms', '-2', /from -1 to 9223372036854775807/],
    ['compression.type', 'gzip', /refused/],
    ['min.insync.replicas', '0', /from 1 to 2147483647/],
    ['min.cleanable.dirty.ratio', '1.5', /a number from 0 to 1/],
    ['segment.bytes', '99999999999', /from 1048576 to 2147483647/],
    ['segment.byte', '1', /Did you mean "segment.bytes"\?/],
    ['log.segment.bytes', '1', /that is a broker setting; the topic setting is "segment.bytes"/],
    ['retention.bytes', '9223372036854775808', /from -9223372036854775808 to 9223372036854775807/],
  ])('refuse %s=%s', (name, value, reason) => {
    expect(validateTopicConfig(name, value)).toMatch(reason);
  });

  it.each([
    ['retention.ms', '-1'],
    ['retention.ms', '1000'],
    ['retention.bytes', '0'],
    ['segment.ms', '1'],
    ['segment.jitter.ms', '5'],
    ['cleanup.policy', 'delete'],
    ['cleanup.policy', 'compact'],
    ['cleanup.policy', 'compact,delete'],
    ['min.cleanable.dirty.ratio', '0.01'],
    ['max.compaction.lag.ms', '1000'],
    ['preallocate', 'TRUE'],
    ['flush.messages', '1'],
    ['flush.messages', '9223372036854775807'],
    ['message.timestamp.type', 'LogAppendTime'],
    ['segment.index.bytes', '4096'],
  ])('accept %s=%s', (name, value) => {
    expect(validateTopicConfig(name, value)).toBeUndefined();
  });

  it('never throw and always give one line, whatever a client sends', () => {
    const names = fc.oneof(fc.constantFrom(...TOPIC_CONFIGS.map(({ name }) => name)), fc.string());
    fc.assert(
      fc.property(names, fc.oneof(fc.string(), fc.bigInt().map(String), fc.double().map(String)), (name, value) => {
        const reason = validateTopicConfig(name, value);
        if (reason === undefined) resolveTopicConfig({ [name]: value }, broker);
        else expect(reason).not.toMatch(/[\r\n]/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('describing settings', () => {
  it('lists every topic setting with source and synonyms, the one in force first', () => {
    const configured = resolveBrokerConfig({ set: ['log.segment.bytes=2097152'] });
    const entries = describeTopicConfigs({ 'segment.bytes': '1048576' }, configured);
    expect(entries.map(({ name }) => name)).toEqual(TOPIC_CONFIGS.map(({ name }) => name));
    expect(entries.find(({ name }) => name === 'segment.bytes')).toMatchObject({
      value: '1048576',
      source: CONFIG_SOURCE.topic,
      type: 3,
      synonyms: [
        { name: 'segment.bytes', value: '1048576', source: 1 },
        { name: 'log.segment.bytes', value: '2097152', source: 4 },
        { name: 'log.segment.bytes', value: '1073741824', source: 5 },
      ],
    });
    expect(describeTopicConfigs({}, configured).find(({ name }) => name === 'segment.bytes')).toMatchObject({
      value: '2097152',
      source: 4,
    });
    expect(describeTopicConfigs({}, broker).find(({ name }) => name === 'segment.bytes')).toMatchObject({ value: '1073741824', source: 5 });
  });

  it('shows the durability a topic really has', () => {
    const fast = resolveBrokerConfig({ set: ['ringlog.durability=memory'] });
    const durability = (overrides: Record<string, string>) =>
      describeTopicConfigs(overrides, fast).find(({ name }) => name === 'ringlog.durability')!.value;
    expect(durability({})).toBe('memory');
    expect(durability({ 'flush.messages': '1' })).toBe('fsync');
  });

  it('refuse a shortest lag of compaction that is longer than the longest', () => {
    const lags = (min: string, max: string): string | undefined =>
      validateTopicConfigs({ 'min.compaction.lag.ms': min, 'max.compaction.lag.ms': max });
    expect(lags('2000', '1000')).toMatch(/min.compaction.lag.ms .2000. must be at most max.compaction.lag.ms .1000./);
    expect(lags('1000', '1000')).toBeUndefined();
  });

  it('open every compressed batch of a compacted topic: each record must have a key', () => {
    expect(resolveTopicConfig({ 'cleanup.policy': 'compact' }, broker).recordValidation).toBe('full');
    expect(resolveTopicConfig({}, broker).recordValidation).toBe('uncompressed');
  });

  it('says which settings have no effect yet', () => {
    const docs = new Map(describeTopicConfigs({}, broker).map(({ name, doc }) => [name, doc]));
    expect(docs.get('compression.type')).toMatch(/Not there yet/);
    expect(docs.get('segment.index.bytes')).toMatch(/Without effect/);
    expect(docs.get('segment.bytes')).not.toMatch(/\(/);
  });

  it('lists broker settings, those as read-only whose change needs a restart', () => {
    const entries = describeBrokerConfigs(resolveBrokerConfig({ set: ['num.partitions=3'] }));
    const readOnly = new Map(entries.map((entry) => [entry.name, entry.readOnly]));
    for (const name of ['num.partitions', 'listeners', 'ringlog.journal.bytes']) expect([name, readOnly.get(name)]).toEqual([name, true]);
    for (const name of ['max.connections', 'log.retention.ms', 'ringlog.log.level'])
      expect([name, readOnly.get(name)]).toEqual([name, false]);
    expect(entries.find(({ name }) => name === 'num.partitions')).toMatchObject({ value: '3', source: 4 });
    expect(entries.find(({ name }) => name === 'log.retention.ms')).toMatchObject({ value: '604800000', source: 5 });
  });
});
