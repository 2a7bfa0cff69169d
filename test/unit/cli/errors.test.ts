import { describe, expect, it } from 'vitest';
import { asUserError, BrokerRefusedError, UnreachableError } from '../../../src/cli/kafka/errors.ts';
import { processTerminal } from '../../../src/cli/process-terminal.ts';
import { program } from '../../../src/cli/program.ts';

const BOOTSTRAP = '127.0.0.1:9092';
/** An error in the form of the client library's. */
const libraryError = (code: string, message: string, more: object = {}): Error => Object.assign(new Error(message), { code, ...more });
const network = (address: string, code: string): Error =>
  Object.assign(
    new AggregateError([libraryError('PLT_KFK_NETWORK', `Connection to ${address} failed.`, { cause: libraryError(code, code) })], 'x'),
    {
      code: 'PLT_KFK_MULTIPLE',
    },
  );

describe('errors of the client library', () => {
  it.each([
    ['ECONNREFUSED', 'nothing listens there. Start a broker ("ringlog start"), or give the address of one (--bootstrap host:port).'],
    ['ENOTFOUND', 'the name leads nowhere. Check its spelling (--bootstrap host:port).'],
    ['ETIMEDOUT', 'it does not answer. Check address, port and firewall (--bootstrap host:port).'],
  ])('say for %s in one line where nobody answers, and what to try', (code, words) => {
    const error = asUserError(network(BOOTSTRAP, code), BOOTSTRAP);
    expect(error).toBeInstanceOf(UnreachableError);
    expect(error.message).toBe(`Cannot reach a broker at ${BOOTSTRAP}: ${words}`);
  });

  it('tell an address that a broker gave from the one that was asked', () => {
    expect(asUserError(network('internal:9092', 'ENOTFOUND'), BOOTSTRAP).message).toBe(
      `Cannot reach a broker at internal:9092 (${BOOTSTRAP} says that a broker is there: see its advertised.listeners): the name leads nowhere. Check its spelling (--bootstrap host:port).`,
    );
  });

  it("keep the broker's words, and have our own where it has none", () => {
    const refused = (id: string, said: string | null): Error =>
      Object.assign(new AggregateError([libraryError('PLT_KFK_PROTOCOL', 'long', { apiId: id, serverErrorMessage: said })], 'x'), {
        code: 'PLT_KFK_RESPONSE',
      });
    const worded = asUserError(refused('INVALID_CONFIG', 'Unknown topic setting "x".'), BOOTSTRAP);
    expect(worded).toBeInstanceOf(BrokerRefusedError);
    expect([worded.message, (worded as BrokerRefusedError).code]).toEqual(['INVALID_CONFIG: Unknown topic setting "x".', 'INVALID_CONFIG']);
    expect(asUserError(refused('NON_EMPTY_GROUP', null), BOOTSTRAP).message).toBe(
      'NON_EMPTY_GROUP: The group has members. Stop its consumers first.',
    );
  });

  it('say how a group goes on whose place was deleted, with options that there are', () => {
    const gone = libraryError('PLT_KFK_PROTOCOL', 'long', { apiId: 'OFFSET_OUT_OF_RANGE', serverErrorMessage: null });
    const { message } = asUserError(gone, BOOTSTRAP);
    expect(message).toBe(
      'OFFSET_OUT_OF_RANGE: The partition has no such offset: retention may have deleted it. For a group: "ringlog group reset <group> --topic <topic> --to-beginning --execute"; --shift-by 0 instead of --to-beginning moves only partitions that need it.',
    );
    const reset = program(processTerminal({}))
      .commands.find((each) => each.name() === 'group')
      ?.commands.find((each) => each.name() === 'reset');
    const known = reset?.options.map(({ long }) => long);
    expect(known).toEqual(expect.arrayContaining(message.match(/--[a-z-]+/g) ?? []));
  });

  it('name what a broker does not serve, and a topic that is not there', () => {
    expect(asUserError(libraryError('PLT_KFK_UNSUPPORTED_API', 'Unsupported API ListGroups.'), BOOTSTRAP).message).toBe(
      `The broker at ${BOOTSTRAP} does not serve ListGroups.`,
    );
    expect(asUserError(libraryError('PLT_KFK_USER', 'Unknown topic a.b.'), BOOTSTRAP).message).toMatch(
      /^UNKNOWN_TOPIC_OR_PARTITION: There is no topic "a\.b"\. /,
    );
  });

  it('stay what they are when they are bugs', () => {
    const bug = new TypeError('x is not a function');
    expect(asUserError(bug, BOOTSTRAP)).toBe(bug);
  });
});
