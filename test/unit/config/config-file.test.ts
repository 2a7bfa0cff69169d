import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveBrokerConfig } from '../../../src/config/broker-config.ts';
import { parseConfigFile, readConfigFile } from '../../../src/config/config-file.ts';
import { ConfigError } from '../../../src/config/errors.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const texts = (text: string): Record<string, string> =>
  Object.fromEntries(parseConfigFile('r.yaml', text).map((setting) => [setting.name, setting.text]));

describe('a configuration file', () => {
  it('holds settings by name, written out or nested, each with its line', () => {
    const text = [
      '# broker',
      'num.partitions: 4',
      'log:',
      '  segment.bytes: 2000000',
      '  retention:',
      '    ms: -1',
      'ringlog.durability: "memory"',
    ];
    expect(parseConfigFile('r.yaml', text.join('\n'))).toEqual([
      { name: 'num.partitions', text: '4', place: 'r.yaml:2' },
      { name: 'log.segment.bytes', text: '2000000', place: 'r.yaml:4' },
      { name: 'log.retention.ms', text: '-1', place: 'r.yaml:6' },
      { name: 'ringlog.durability', text: 'memory', place: 'r.yaml:7' },
    ]);
  });

  it('may be JSON, or empty', () => {
    expect(texts('{ "num.partitions": 4, "log": { "cleanup.policy": ["delete"] }, "auto.create.topics.enable": false }')).toEqual({
      'num.partitions': '4',
      'log.cleanup.policy': 'delete',
      'auto.create.topics.enable': 'false',
    });
    expect(texts('')).toEqual({});
    expect(texts('# nothing')).toEqual({});
  });

  it('keeps every digit of a large number', () => {
    expect(texts('log.retention.bytes: 9007199254740993')).toEqual({ 'log.retention.bytes': '9007199254740993' });
    const layer = { origin: 'file', settings: parseConfigFile('r.yaml', 'log.retention.bytes: 9007199254740993') } as const;
    expect(resolveBrokerConfig({}, [layer]).values.get('log.retention.bytes')!.value).toBe(9007199254740993n);
  });

  it.each([
    ['a: 1\nb: [', /^r\.yaml:2: It is neither YAML nor JSON: /],
    ['num.partitions: 1\nnum.partitions: 2', /^r\.yaml:2: It is neither YAML nor JSON: Map keys must be unique/],
    ['num.partitions: 1\nnum: { partitions: 2 }', /^r\.yaml:2: num\.partitions is set twice; it is already at r\.yaml:1\.$/],
    ['x: 1\nnum.partitions:', /^r\.yaml:2: num\.partitions must be text, a number, true, false, or a list of those\.$/],
    ['num.partitions: null', /^r\.yaml:1: num\.partitions must be/],
    ['log.cleanup.policy: [[a]]', /^r\.yaml:1: log\.cleanup\.policy must be/],
    ['a: &x 1\nb: *x', /^r\.yaml:2: b must be written out: anchors and aliases are not taken\.$/],
    ['? [a]\n: 1', /^r\.yaml:1: The name of a setting must be plain text\.$/],
    ['- num.partitions', /^r\.yaml:1: It must hold settings by name/],
    ['just text', /^r\.yaml:1: It must hold settings by name/],
  ])('is refused with file and line: %j', (text, message) => {
    expect(() => parseConfigFile('r.yaml', text)).toThrow(ConfigError);
    expect(() => parseConfigFile('r.yaml', text)).toThrow(message);
  });

  it('is read from the disk, and refused in one line where that cannot be', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'r.yaml');
    expect(() => readConfigFile(path)).toThrow(new ConfigError(`The configuration file ${path} cannot be read: there is no such file.`));
    writeFileSync(path, 'num.partitions: 4\nringlog.durabilty: fsync\n');
    expect(readConfigFile(path).settings).toHaveLength(2);
    expect(() => resolveBrokerConfig({}, [readConfigFile(path)])).toThrow(
      new ConfigError(`${path}:2: Unknown broker setting "ringlog.durabilty". Did you mean "ringlog.durability"?`),
    );
    writeFileSync(path, '#'.repeat(2 << 20));
    expect(() => readConfigFile(path)).toThrow(/has 2097152 bytes; more than 1048576 is none/);
    mkdirSync(join(folder, 'f'));
    expect(() => readConfigFile(join(folder, 'f'))).toThrow(/it is a folder/);
  });
});
