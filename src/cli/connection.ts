/** The options that every command has that talks to a broker, and the connection that they make. */
import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import type { KafkaClient } from './kafka/client.ts';
import { UsageError } from './exit.ts';
import { duration } from './values.ts';

const TIMEOUT_MS = 30_000;

export interface ConnectionOptions {
  readonly bootstrap: string;
  readonly tls?: boolean;
  readonly sasl?: string;
  readonly timeout: number;
}

/** Adds the options. @param ownBroker without --bootstrap the command starts a broker of its own */
export function withConnection(command: Command, ownBroker = false): Command {
  const bootstrap = new Option('-b, --bootstrap <host:port>', 'a broker of the cluster; several with commas between them');
  return command
    .addOption(ownBroker ? bootstrap.default(undefined, 'a broker of its own') : bootstrap.default('127.0.0.1:9092'))
    .option('--tls', 'talk TLS to the brokers')
    .option('--sasl <login>', 'mechanism:user:password, with PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; or @file with that in it')
    .addOption(new Option('--timeout <time>', 'how long one request may take').argParser(duration).default(TIMEOUT_MS, '30s'));
}

/** Connects, does the work, and closes the connection whatever comes of it. */
export async function connected<T>(options: ConnectionOptions, work: (client: KafkaClient) => Promise<T>): Promise<T> {
  const { KafkaClient } = await import('./kafka/client.ts');
  const { bootstrap, tls = false, timeout: timeoutMs } = options;
  const client = await KafkaClient.connect({ bootstrap, tls, sasl: await login(options.sasl), timeoutMs });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** A password on the command line can be seen by everybody on the machine; in a file it cannot. */
async function login(text: string | undefined): Promise<string | undefined> {
  if (text === undefined || !text.startsWith('@')) return text;
  try {
    return (await readFile(text.slice(1), 'utf8')).trim();
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    throw new UsageError(`Cannot read ${text.slice(1)} (--sasl): ${code}.`, { cause: error });
  }
}
