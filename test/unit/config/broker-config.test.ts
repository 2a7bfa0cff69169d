import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BROKER_CONFIGS } from '../../../src/config/broker-table.ts';
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts';
import { parseConfigFile } from '../../../src/config/config-file.ts';
import { environmentLayer } from '../../../src/config/environment.ts';
import { ConfigError } from '../../../src/config/errors.ts';
import { PROFILES } from '../../../src/config/profiles.ts';
import { BROKER_CONFIG_BY_NAME, TOPIC_CONFIG_BY_NAME } from '../../../src/config/table.ts';
import { TOPIC_CONFIGS } from '../../../src/config/topic-table.ts';
import { parseValue } from '../../../src/config/values.ts';

const set = (...assignments: string[]) => resolveBrokerConfig({ set: assignments });

describe('the table of settings', () => {
  it('has no name twice and only legal defaults', () => {
    expect(new Set(BROKER_CONFIGS.map(({ name }) => name)).size).toBe(BROKER_CONFIGS.length);
    expect(TOPIC_CONFIG_BY_NAME.size).toBe(TOPIC_CONFIGS.length);
    for (const definition of [...BROKER_CONFIG_BY_NAME.values(), ...TOPIC_CONFIGS]) {
      expect(parseValue(definition, definition.default), definition.name).toMatchObject({ ok: true });
    }
  });

  it('says in one line what each setting does', () => {
    for (const definition of [...BROKER_CONFIG_BY_NAME.values(), ...TOPIC_CONFIGS])
      expect(definition.doc, definition.name).toMatch(/^[^\n]+\.$|…$/);
  });

  it('names only settings that exist in profiles, with legal values', () => {
    for (const { values } of Object.values(PROFILES)) {
      for (const [name, text] of Object.entries(values))
        expect(parseValue(BROKER_CONFIG_BY_NAME.get(name)!, text), name).toMatchObject({ ok: true });
    }
  });
});

describe('broker settings', () => {
  it('have documented defaults', () => {
    expect(resolveBrokerConfig()).toMatchObject({
      host: '127.0.0.1',
      port: 9092,
      advertised: undefined,
      dataDir: resolve('data'),
      durability: 'fsync',
      autoCreateTopics: true,
      defaultPartitions: 1,
      socketRequestBytesMax: 104857600,
      journalBytesMax: 512 * 1024 * 1024,
      profile: 'balanced',
    });
  });

  it('have limits of connections by address in the form in which sockets show addresses', () => {
    expect([...set().connectionsOfAddressMax]).toEqual([]);
    const text = '127.0.0.1:200, 0:0:0:0:0:0:0:1:50 ,::ffff:10.0.0.1:0,2001:DB8::00a1:2147483647';
    expect([...set(`max.connections.per.ip.overrides=${text}`).connectionsOfAddressMax]).toEqual([
      ['127.0.0.1', 200],
      ['::1', 50],
      ['10.0.0.1', 0],
      ['2001:db8::a1', 2147483647],
    ]);
    for (const wrong of [
      '10.0.0.1',
      ':5',
      '5',
      '10.0.0.1:',
      '10.0.0.1:-1',
      '10.0.0.1:2147483648',
      '10.0.0.1:1,',
      'fe80::1%lo:1',
      '10.0.0:1',
    ])
      expect(() => set(`max.connections.per.ip.overrides=${wrong}`), wrong).toThrow(ConfigError);
  });

  it('take flags over everything else', () => {
    const config = resolveBrokerConfig({
      port: 0,
      host: '::1',
      dataDir: '/x/y',
      set: ['num.partitions=3', 'num.partitions=4', 'listeners=PLAINTEXT://10.0.0.1:1'],
    });
    expect(config).toMatchObject({ port: 0, host: '::1', dataDir: '/x/y', defaultPartitions: 4 });
  });

  it('take a later layer over an earlier one, and flags over layers', () => {
    const layers = [
      { origin: 'file', settings: parseConfigFile('ringlog.yaml', 'num.partitions: 2\nnode.id: 7') },
      environmentLayer({ RINGLOG_NUM_PARTITIONS: '3' }),
    ] as const;
    expect(resolveBrokerConfig({}, layers)).toMatchObject({ defaultPartitions: 3, nodeId: 7 });
    expect(resolveBrokerConfig({ set: ['num.partitions=9'] }, layers)).toMatchObject({ defaultPartitions: 9, nodeId: 7 });
  });

  it('let whatever is set by itself win over the profile', () => {
    expect(set('ringlog.profile=throughput')).toMatchObject({ groupBytesMax: 16 * 1024 * 1024, profile: 'throughput' });
    expect(set('ringlog.profile=throughput', 'ringlog.group.bytes.max=1048576')).toMatchObject({
      groupBytesMax: 1048576,
      groupBatchesMax: 4000,
    });
    expect(set('ringlog.profile=latency').spinUs).toBeGreaterThan(0);
  });

  it('read listeners as Kafka writes them', () => {
    expect(set('listeners=PLAINTEXT://:9093')).toMatchObject({ host: '0.0.0.0', port: 9093 });
    expect(set('listeners=PLAINTEXT://[::1]:0')).toMatchObject({ host: '::1', port: 0 });
    expect(set('advertised.listeners=PLAINTEXT://broker.example:9092').advertised).toEqual({ host: 'broker.example', port: 9092 });
  });

  it.each(['log.flush.interval.messages=1', 'log.flush.interval.messages=10000', 'log.flush.interval.ms=1000'])(
    'take %s as fsync',
    (flush) => {
      expect(set(flush).durability).toBe('fsync');
      expect(set(flush, 'ringlog.durability=fsync').durability).toBe('fsync');
      expect(() => set(flush, 'ringlog.durability=memory')).toThrow(
        `${flush} asks for fsync but ringlog.durability is memory; set one of them.`,
      );
    },
  );

  it('take a flush that never comes as no wish', () => {
    expect(set('log.flush.interval.ms=9223372036854775807', 'ringlog.durability=memory').durability).toBe('memory');
  });

  it('take minutes and hours where Kafka does, and milliseconds over both', () => {
    const textOf = (name: string, ...assignments: string[]): string | undefined => set(...assignments).values.get(name)?.text;
    expect(textOf('log.retention.ms', 'log.retention.hours=2')).toBe('7200000');
    expect(textOf('log.retention.ms', 'log.retention.hours=2', 'log.retention.minutes=3')).toBe('180000');
    expect(textOf('log.retention.ms', 'log.retention.minutes=3', 'log.retention.ms=5', 'log.retention.hours=2')).toBe('5');
    expect(textOf('log.retention.ms', 'log.retention.hours=-1')).toBe('-1');
    expect(textOf('log.roll.ms', 'log.roll.hours=1')).toBe('3600000');
    expect(textOf('log.roll.jitter.ms', 'log.roll.jitter.hours=1')).toBe('3600000');
  });

  it.each([
    [
      'log.retention.hours=soon',
      '--set log.retention.hours: Invalid value "soon" for log.retention.hours: it must be a whole number of hours from -1 to 2147483647.',
    ],
    [
      'log.retention.minutes=-2',
      '--set log.retention.minutes: Invalid value "-2" for log.retention.minutes: it must be a whole number of minutes from -1 to 2147483647.',
    ],
    [
      'log.roll.hours=0',
      '--set log.roll.hours: Invalid value "0" for log.roll.hours: it must be a whole number of hours from 1 to 2147483647.',
    ],
    ['num.partition=2', '--set num.partition: Unknown broker setting "num.partition". Did you mean "num.partitions"?'],
    [
      'RINGLOG_SHARDS_SYNC=2',
      '--set RINGLOG_SHARDS_SYNC: Unknown broker setting "RINGLOG_SHARDS_SYNC". Did you mean "ringlog.shards.sync"?',
    ],
    [
      'segment.bytes=2000000',
      '--set segment.bytes: Unknown broker setting "segment.bytes": that is a topic setting; the broker setting is "log.segment.bytes".',
    ],
    ['zzz=1', '--set zzz: Unknown broker setting "zzz".'],
    ['num.partitions=0', '--set num.partitions: Invalid value "0" for num.partitions: it must be a whole number from 1 to 10000.'],
    ['num.partitions=1.5', '--set num.partitions: Invalid value "1.5" for num.partitions: it must be a whole number from 1 to 10000.'],
    [
      'message.max.bytes=1MB',
      '--set message.max.bytes: Invalid value "1MB" for message.max.bytes: it must be a whole number of bytes from 0 to 2147483647.',
    ],
    [
      'auto.create.topics.enable=yes',
      '--set auto.create.topics.enable: Invalid value "yes" for auto.create.topics.enable: it must be true or false.',
    ],
    [
      'ringlog.durability=disk',
      '--set ringlog.durability: Invalid value "disk" for ringlog.durability: it must be one of memory, page-cache, fsync.',
    ],
    [
      'unclean.leader.election.enable=true',
      '--set unclean.leader.election.enable: unclean.leader.election.enable=true is refused: there is no leader election with a single broker. Leave it at false.',
    ],
    [
      'listeners=SSL://h:1',
      '--set listeners: Invalid value "SSL://h:1" for listeners: it must be a PLAINTEXT listener (TLS and SASL are not there yet).',
    ],
    [
      'listeners=9092',
      '--set listeners: Invalid value "9092" for listeners: it must be PLAINTEXT://host:port, for example PLAINTEXT://127.0.0.1:9092.',
    ],
    [
      'listeners=PLAINTEXT://h:70000',
      '--set listeners: Invalid value "PLAINTEXT://h:70000" for listeners: it must be PLAINTEXT://host:port with a port from 0 to 65535.',
    ],
    [
      'advertised.listeners=PLAINTEXT://:1',
      '--set advertised.listeners: Invalid value "PLAINTEXT://:1" for advertised.listeners: it must be PLAINTEXT://host:port with host and port.',
    ],
    [
      'max.connections.per.ip.overrides=host:5',
      '--set max.connections.per.ip.overrides: Invalid value "host:5" for max.connections.per.ip.overrides: it must be a list of address:count, for example 127.0.0.1:200,::1:50 (names of hosts are not looked up).',
    ],
    [
      'max.connections.per.ip.overrides=10.0.0.1:5,10.0.0.2:x',
      '--set max.connections.per.ip.overrides: Invalid value "10.0.0.1:5,10.0.0.2:x" for max.connections.per.ip.overrides: it must be a list of address:count with counts from 0 to 2147483647.',
    ],
    [
      'max.connections.per.ip.overrides=1::2:5,1:0::2:6',
      '--set max.connections.per.ip.overrides: Invalid value "1::2:5,1:0::2:6" for max.connections.per.ip.overrides: it must be a list of address:count that names each address once (1::2 is there twice).',
    ],
    ['log.dirs=/a,/b', '--set log.dirs: Invalid value "/a,/b" for log.dirs: it must be a single folder (several are not there yet).'],
    ['num.partitions', '--set num.partitions: it must be name=value, for example --set num.partitions=4.'],
    [
      'socket.request.max.bytes=65536',
      'message.max.bytes (1048588) must be at most socket.request.max.bytes (65536 by --set socket.request.max.bytes): a larger batch could never arrive.',
    ],
    [
      'ringlog.journal.bytes=134217728',
      'ringlog.checkpoint.interval.bytes (268435456) must be at most ringlog.journal.bytes (134217728 by --set ringlog.journal.bytes): the journal would be full before a checkpoint is due.',
    ],
  ])('refuse %s with the reason and what would be right', (assignment, message) => {
    expect(() => set(assignment)).toThrow(new ConfigError(message));
  });

  it.each(['70000', '-1', 'abc', ''])('refuse port %j', (port) => {
    expect(() => resolveBrokerConfig({ port })).toThrow(`Invalid port "${port}": it must be a whole number from 0 to 65535.`);
  });
});
