/** Looks at what a start with these settings would meet: the settings themselves, the data folder, the port. */
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolveBrokerConfig, type BrokerConfig } from '../../config/broker-config.ts';
import { DATA_FORMAT_VERSION, readIdentity } from '../../config/data-folder.ts';
import { ConfigError, DataFolderError } from '../../config/errors.ts';
import { formatAddress } from '../../config/listeners.ts';
import { lockFolder } from '../../config/lock.ts';
import { settingsOf, type StartFlags } from '../settings.ts';
import type { Terminal } from '../terminal.ts';
import { fail, ok, warn, type Check } from './check.ts';

/** The settings, or why there are none; then those without flags, so that the rest can be looked at. */
export async function checkSettings(
  flags: StartFlags,
  environment: Terminal['environment'],
): Promise<{ config: BrokerConfig; check: Check }> {
  try {
    const config = await settingsOf(flags, environment);
    const isOpen = config.host !== '127.0.0.1' && config.host !== '::1' && config.host !== 'localhost';
    const found = `durability ${config.durability}, profile ${config.profile}, listening on ${formatAddress(config)}`;
    if (isOpen && config.advertised === undefined && (config.host === '0.0.0.0' || config.host === '::'))
      return {
        config,
        check: warn(
          'settings',
          found,
          'Clients are told the address that they came to. Behind address translation set advertised.listeners; anyone who reaches the port may read and write.',
        ),
      };
    return { config, check: ok('settings', found) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { config: resolveBrokerConfig({}), check: fail('settings', error.message, 'docs/CONFIG.md describes every setting.') };
  }
}

/** Whether a broker could take the folder. Takes its lock for a moment. */
export async function checkDataFolder(folder: string): Promise<Check> {
  if (!existsSync(folder)) return ok('data folder', `${folder} is not there yet: a start makes it`);
  try {
    const identity = readIdentity(folder);
    if (identity !== undefined && identity.formatVersion > DATA_FORMAT_VERSION)
      return fail(
        'data folder',
        `${folder} has format ${identity.formatVersion}`,
        `This version reads format ${DATA_FORMAT_VERSION}: install the ringlog that wrote it, or a newer one.`,
      );
    const lock = await lockFolder(folder);
    await lock.release();
    if (identity === undefined) return ok('data folder', `${folder} holds no data yet`);
    return ok(
      'data folder',
      `${folder}, format ${identity.formatVersion}, cluster ${identity.clusterId}, node ${identity.nodeId}, free to use`,
    );
  } catch (error) {
    if (error instanceof DataFolderError) return fail('data folder', error.message, 'Only one broker may use a folder at a time.');
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    return fail(
      'data folder',
      `${folder} cannot be read: ${code}`,
      'Give this user the right to read and write it, or choose another folder (--data-dir).',
    );
  }
}

/** Whether metrics and health can be had. Without a port that was asked for, a broker does not start; without the default one, it does. */
export async function checkHttpPort({ httpHost: host, httpPort: port, values }: BrokerConfig): Promise<Check> {
  if (port < 0) return ok('metrics', 'switched off');
  if (port === 0) return ok('metrics', `${host}, any free port`);
  const address = formatAddress({ host, port });
  const code = await tryListening(host, port);
  if (code === null) return ok('metrics', `http://${address}/metrics and /health, the port is free`);
  const found = code === 'EADDRINUSE' ? `${address} is in use` : `${address} cannot be listened on: ${code}`;
  const isWanted = values.get('ringlog.http.port')?.origin !== 'default';
  if (isWanted) return fail('metrics', found, 'Choose another port (--http-port), or none (--http-port -1).');
  return warn(
    'metrics',
    found,
    'The broker would start without metrics and health. Choose another port (--http-port), or none (--http-port -1).',
  );
}

/** Listens for a moment; resolves with the code of what went wrong, or null. */
function tryListening(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host, port }, () => server.close(() => resolve(null)));
  });
}

/** Whether the port can be listened on. */
export async function checkPort({ host, port }: { host: string; port: number }): Promise<Check> {
  const address = formatAddress({ host, port });
  if (port === 0) return ok('port', `${host}, any free port`);
  const code = await tryListening(host, port);
  switch (code) {
    case null:
      return ok('port', `${address} is free`);
    case 'EADDRINUSE':
      return fail('port', `${address} is in use`, 'A broker may be running there already. Stop it, or choose another port (--port).');
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return fail('port', `${address} is no address of this machine`, 'Choose one of its addresses, or 0.0.0.0 for all (--host).');
    case 'EACCES':
      return fail('port', `this user may not listen on ${address}`, 'Choose a port from 1024 on (--port).');
    default:
      return fail('port', `${address} cannot be listened on: ${code}`, 'Choose another address (--host, --port).');
  }
}
