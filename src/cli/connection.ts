/** The options that every command has that talks to a broker, and the connection that they make. */
import { type Command, Option } from 'commander';
import type { KafkaClient } from './kafka/client.ts';
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
    .option('--sasl <mechanism:user:password>', 'log in: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512')
    .addOption(new Option('--timeout <time>', 'how long one request may take').argParser(duration).default(TIMEOUT_MS, '30s'));
}

/** Connects, does the work, and closes the connection whatever comes of it. */
export async function connected<T>(options: ConnectionOptions, work: (client: KafkaClient) => Promise<T>): Promise<T> {
  const { KafkaClient } = await import('./kafka/client.ts');
  const { bootstrap, tls = false, sasl, timeout: timeoutMs } = options;
  const client = await KafkaClient.connect({ bootstrap, tls, sasl, timeoutMs });
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}
