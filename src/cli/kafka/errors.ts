/** What went wrong between the command line and a broker, in one line that a person can act on. Knows the shapes of the client library's errors, and nothing else does. */
import { UserError } from '../../lib/user-error.ts';

/** A broker refused something. `code` is Kafka's name of the error, e.g. `UNKNOWN_TOPIC_OR_PARTITION`. */
export class BrokerRefusedError extends UserError {
  override name = 'BrokerRefusedError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** No broker answers at an address. */
export class UnreachableError extends UserError {
  override name = 'UnreachableError';
}

/** An error as the library makes them; every field may be missing. */
interface LibraryError extends Error {
  readonly code?: string;
  /** Kafka's name of an error that a broker answered. */
  readonly apiId?: string;
  readonly serverErrorMessage?: string | null;
  readonly errors?: readonly LibraryError[];
}

/** What to try when the operating system says this about a connection. */
const CONNECTION_ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there. Start a broker ("ringlog start"), or give the address of one (--bootstrap host:port).',
  ENOTFOUND: 'the name leads nowhere. Check its spelling (--bootstrap host:port).',
  EAI_AGAIN: 'the name cannot be looked up now. Check the network, or give an address in numbers (--bootstrap host:port).',
  ETIMEDOUT: 'it does not answer. Check address, port and firewall (--bootstrap host:port).',
  EHOSTUNREACH: 'there is no way to that machine. Check the address (--bootstrap host:port).',
  ENETUNREACH: 'there is no way to that network. Check the address (--bootstrap host:port).',
  ECONNRESET: 'the connection was cut. Is it a Kafka broker, and does it want TLS (--tls) or a password (--sasl)?',
};

/** Words for errors of Kafka's that a person meets often. */
const REFUSAL_ADVICE: Readonly<Record<string, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'There is no such topic or partition. "ringlog topic list" shows what there is.',
  TOPIC_ALREADY_EXISTS: 'A topic of that name is there already.',
  OFFSET_OUT_OF_RANGE:
    'The partition has no such offset: retention may have deleted it. For a group: "ringlog group reset <group> --topic <topic> --to-beginning --execute"; ' +
    '--shift-by 0 instead of --to-beginning moves only partitions that need it.',
  GROUP_ID_NOT_FOUND: 'There is no such group. "ringlog group list" shows what there is.',
  NON_EMPTY_GROUP: 'The group has members. Stop its consumers first.',
  UNKNOWN_MEMBER_ID: 'The group has members. Stop its consumers first.',
  GROUP_SUBSCRIBED_TO_TOPIC: 'A member of the group reads that topic. Stop its consumers first.',
  MESSAGE_TOO_LARGE: 'A record is larger than the topic takes (max.message.bytes).',
  RECORD_LIST_TOO_LARGE: 'The records are more than a segment of the topic holds (segment.bytes).',
  TOPIC_AUTHORIZATION_FAILED: 'This user may not do that with that topic.',
  GROUP_AUTHORIZATION_FAILED: 'This user may not do that with that group.',
  SASL_AUTHENTICATION_FAILED: 'The broker does not accept user name and password (--sasl).',
};

/** Whatever the client threw, as an error for a person. What is none of the library's and no word of the system's is a bug, and stays what it is. */
export function asUserError(error: unknown, bootstrap: string): Error {
  if (error instanceof UserError || !(error instanceof Error)) return error as Error;
  const all = flat(error);
  const refused = all.find((each) => each.apiId !== undefined);
  if (refused?.apiId !== undefined) return refusal(refused.apiId, refused.serverErrorMessage ?? '', error);
  const unknown = all.find((each) => each.code === 'PLT_KFK_USER' && each.message.startsWith('Unknown topic'));
  if (unknown !== undefined) {
    const topic = /Unknown topic (.*)\./.exec(unknown.message)?.[1] ?? '';
    const words = `There is no topic "${topic}". "ringlog topic list" shows what there is.`;
    return refusal('UNKNOWN_TOPIC_OR_PARTITION', words, error);
  }
  const unsupported = all.find((each) => each.code === 'PLT_KFK_UNSUPPORTED_API');
  if (unsupported !== undefined) {
    const api = /API (\w+)/.exec(unsupported.message)?.[1] ?? 'what this command needs';
    return new BrokerRefusedError('UNSUPPORTED_VERSION', `The broker at ${bootstrap} does not serve ${api}.`, { cause: error });
  }
  const denied = all.find((each) => each.code === 'PLT_KFK_AUTHENTICATION');
  if (denied !== undefined) return refusal('SASL_AUTHENTICATION_FAILED', '', error);
  return connectionError(all, bootstrap, error) ?? libraryError(error);
}

function refusal(code: string, said: string, cause: Error): BrokerRefusedError {
  const words = said === '' ? (REFUSAL_ADVICE[code] ?? cause.message) : said;
  return new BrokerRefusedError(code, `${code}: ${words}`, { cause });
}

function connectionError(all: readonly LibraryError[], bootstrap: string, cause: Error): UnreachableError | undefined {
  const network = all.filter(({ code }) => code === 'PLT_KFK_NETWORK' || code === 'PLT_KFK_TIMEOUT');
  const system = all.find(({ code }) => code !== undefined && code in CONNECTION_ADVICE);
  if (network.length === 0 && system === undefined) return undefined;
  const place = network.map(({ message }) => /Connection to (\S+) /.exec(message)?.[1]).find((found) => found !== undefined) ?? bootstrap;
  const timedOut = network.some(({ code, message }) => code === 'PLT_KFK_TIMEOUT' || /timed out/i.test(message));
  const advice = CONNECTION_ADVICE[system?.code ?? (timedOut ? 'ETIMEDOUT' : 'ECONNRESET')] ?? 'it cannot be reached.';
  const advertised = bootstrap.includes(place) ? '' : ` (${bootstrap} says that a broker is there: see its advertised.listeners)`;
  return new UnreachableError(`Cannot reach a broker at ${place}${advertised}: ${advice}`, { cause });
}

/** Any other error of the library: its words, without the stack. An error of ours or of Node's is left as it is: a bug deserves its stack. */
function libraryError(error: LibraryError): Error {
  const deepest = flat(error).findLast(({ code }) => code?.startsWith('PLT_KFK_'));
  return deepest === undefined ? error : new UserError(deepest.message, { cause: error });
}

/** An error, what it was caused by, and what it is made of; bounded, should they refer to each other. */
function flat(error: LibraryError, depthLeft = 8): LibraryError[] {
  if (depthLeft === 0) return [];
  const within = [...(error.errors ?? []), ...(error.cause instanceof Error ? [error.cause as LibraryError] : [])];
  return [error, ...within.flatMap((each) => flat(each, depthLeft - 1))];
}
