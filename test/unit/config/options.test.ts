/** What a program gives a broker that it embeds. The compiler is part of it: lines with `@ts-expect-error` must not compile. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ConfigError } from '../../../src/config/errors.ts';
import { resolveOptions, type BrokerOptions } from '../../../src/config/options.ts';
import { removeTemporaryFolder } from '../../../src/config/temporary-folder.ts';

const configOf = (options: BrokerOptions) => resolveOptions(options).config;

describe('options of Broker.start', () => {
  it.each([
    [{ datadir: 'x' }, 'Unknown option "datadir" of Broker.start. Did you mean dataDir?'],
    [{ zzz: 1 }, 'Unknown option "zzz" of Broker.start. Options are dataDir, temporary, port, host, httpPort, settings, onLog.'],
    [{ 'num.partitions': 4 }, 'Unknown option "num.partitions": that is a setting, give it as { settings: { \'num.partitions\': … } }.'],
  ])('refuses options that it does not know: %j', (options, message) => {
    expect(() => resolveOptions(options as BrokerOptions)).toThrow(message);
  });

  it('has no port of metrics unless it is asked for', () => {
    expect(configOf({}).httpPort).toBe(-1);
    expect(configOf({ httpPort: 0 }).httpPort).toBe(0);
    expect(configOf({ settings: { 'ringlog.http.port': 9090 } }).httpPort).toBe(9090);
  });

  it('have defaults, and read no environment', () => {
    process.env['RINGLOG_NUM_PARTITIONS'] = '9';
    onTestFinished(() => void delete process.env['RINGLOG_NUM_PARTITIONS']);
    expect(configOf({})).toMatchObject({ port: 9092, host: '127.0.0.1', dataDir: resolve('data'), defaultPartitions: 1 });
    expect(resolveOptions({}).temporaryFolder).toBeUndefined();
  });

  it('take settings by name, as numbers, words, booleans and lists', () => {
    const config = configOf({
      dataDir: '/x',
      port: 0,
      settings: {
        'num.partitions': 4,
        'log.retention.bytes': 2n ** 60n,
        'log.retention.hours': 2,
        'ringlog.durability': 'memory',
        'auto.create.topics.enable': false,
        'log.cleanup.policy': ['delete'],
        'max.connections': undefined,
      } as BrokerOptions['settings'] & object,
    });
    expect(config).toMatchObject({ port: 0, dataDir: '/x', defaultPartitions: 4, durability: 'memory', autoCreateTopics: false });
    expect(config.values.get('log.retention.bytes')!.value).toBe(2n ** 60n);
    expect(config.values.get('log.retention.ms')!.text).toBe('7200000');
    expect(config.connectionsMax).toBe(10_000);
  });

  it('refuse what no setting is, at compile time and at run time', () => {
    // @ts-expect-error no such setting
    expect(() => configOf({ settings: { 'num.partition': 4 } })).toThrow(
      new ConfigError('settings: Unknown broker setting "num.partition". Did you mean "num.partitions"?'),
    );
    // @ts-expect-error no such word
    expect(() => configOf({ settings: { 'ringlog.durability': 'disk' } })).toThrow(
      /^settings: Invalid value "disk" for ringlog\.durability/,
    );
    // @ts-expect-error no number
    expect(() => configOf({ settings: { 'num.partitions': {} } })).toThrow(/^settings: num\.partitions must be text, a number/);
    expect(() => configOf({ settings: { 'num.partitions': 1.5 } })).toThrow(/^settings: Invalid value "1\.5" for num\.partitions/);
    expect(() => configOf({ port: 70_000 })).toThrow(/Invalid port "70000"/);
  });

  it('give a temporary broker a folder and a port of its own', async () => {
    const { config, temporaryFolder } = resolveOptions({ temporary: true });
    expect(config).toMatchObject({ port: 0, dataDir: temporaryFolder });
    expect(temporaryFolder!.startsWith(join(tmpdir(), 'ringlog-'))).toBe(true);
    expect(existsSync(temporaryFolder!)).toBe(true);
    await removeTemporaryFolder(temporaryFolder!);
    expect(existsSync(temporaryFolder!)).toBe(false);
    for (const options of [{ dataDir: '/x' }, { settings: { 'log.dirs': '/x' } }])
      expect(() => resolveOptions({ temporary: true, ...options })).toThrow(/folder of its own/);
    const fixed = resolveOptions({ temporary: true, settings: { listeners: 'PLAINTEXT://127.0.0.1:19092' } });
    expect(fixed.config.port).toBe(19_092);
    await removeTemporaryFolder(fixed.temporaryFolder!);
  });

  it('listen to the end of the process only while a temporary folder is there', async () => {
    const before = process.listenerCount('exit');
    const folders = [1, 2].map(() => resolveOptions({ temporary: true }).temporaryFolder!);
    expect(process.listenerCount('exit')).toBe(before + 1);
    for (const folder of folders) await removeTemporaryFolder(folder);
    expect(process.listenerCount('exit')).toBe(before);
  });
});
