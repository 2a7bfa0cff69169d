import { describe, expect, it } from 'vitest';
import { COARSE_SETTINGS } from '../../../src/config/broker-table.ts';
import { environmentLayer, environmentName } from '../../../src/config/environment.ts';
import { ConfigError } from '../../../src/config/errors.ts';
import { BROKER_CONFIG_BY_NAME } from '../../../src/config/table.ts';

describe('environment variables', () => {
  it('belong to one setting each', () => {
    const names = [...BROKER_CONFIG_BY_NAME.keys(), ...COARSE_SETTINGS.map(({ name }) => name)];
    expect(new Set(names.map(environmentName)).size).toBe(names.length);
  });

  it.each([
    ['log.segment.bytes', 'RINGLOG_LOG_SEGMENT_BYTES'],
    ['ringlog.durability', 'RINGLOG_DURABILITY'],
    ['ringlog.log.level', 'RINGLOG_LOG_LEVEL'],
    ['log.retention.hours', 'RINGLOG_LOG_RETENTION_HOURS'],
  ])('are read for %s from %s', (name, variable) => {
    expect(environmentName(name)).toBe(variable);
    expect(environmentLayer({ [variable]: ' 7 ', HOME: '/' })).toEqual({
      origin: 'environment',
      settings: [{ name, text: ' 7 ', place: variable }],
    });
  });

  it.each([
    [
      'RINGLOG_LOG_SEGMENT_BYTE',
      /^Unknown environment variable "RINGLOG_LOG_SEGMENT_BYTE": .* Did you mean "RINGLOG_LOG_SEGMENT_BYTES"\?$/,
    ],
    ['RINGLOG_RINGLOG_DURABILITY', /Did you mean "RINGLOG_DURABILITY"\?$/],
    ['RINGLOG_PORT', /^Unknown environment variable "RINGLOG_PORT": no setting has it\./],
    ['RINGLOG_QQQQ', /^Unknown environment variable "RINGLOG_QQQQ": no setting has it\.$/],
  ])('with our prefix that no setting has are refused: %s', (variable, message) => {
    expect(() => environmentLayer({ [variable]: '1' })).toThrow(ConfigError);
    expect(() => environmentLayer({ [variable]: '1' })).toThrow(message);
  });

  it('of our own tools, and of Kubernetes for a service called ringlog, are no settings', () => {
    const others = {
      RINGLOG_CONFIG: 'a.yaml',
      RINGLOG_SEED: '1',
      RINGLOG_CI_REPORTS: '/x',
      RINGLOG_SERVICE_HOST: '10.0.0.1',
      RINGLOG_SERVICE_PORT: '9092',
      RINGLOG_SERVICE_PORT_KAFKA: '9092',
      RINGLOG_PORT: 'tcp://10.0.0.1:9092',
      RINGLOG_PORT_9092_TCP: 'tcp://10.0.0.1:9092',
      RINGLOG_PORT_9092_TCP_ADDR: '10.0.0.1',
    };
    expect(environmentLayer({ ...others, RINGLOG_NUM_PARTITIONS: undefined }).settings).toEqual([]);
  });
});
