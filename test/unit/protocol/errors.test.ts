import { describe, expect, it } from 'vitest';
import { ErrorCode, errorName, PROTOCOL_ERRORS, protocolError } from '../../../src/protocol/errors.ts';

describe('the error table', () => {
  it('is dense from -1, with distinct names and a message each', () => {
    expect(PROTOCOL_ERRORS.map((error) => error.code)).toEqual(PROTOCOL_ERRORS.map((_, index) => index - 1));
    expect(new Set(PROTOCOL_ERRORS.map((error) => error.name)).size).toBe(PROTOCOL_ERRORS.length);
    for (const { code, message } of PROTOCOL_ERRORS) {
      expect(message === '').toBe(code === 0);
      expect(message).not.toMatch(/\.$/);
    }
  });

  it('has the codes and reactions that clients rely on', () => {
    expect(ErrorCode.NONE).toBe(0);
    expect(ErrorCode.NOT_LEADER_OR_FOLLOWER).toBe(6);
    expect(ErrorCode.SHARE_SESSION_LIMIT_REACHED).toBe(133);
    expect(protocolError(ErrorCode.NOT_LEADER_OR_FOLLOWER)).toMatchObject({ retriable: true, refresh: true });
    expect(protocolError(ErrorCode.REQUEST_TIMED_OUT)).toMatchObject({ retriable: true, refresh: false });
    expect(protocolError(ErrorCode.MESSAGE_TOO_LARGE)).toMatchObject({ retriable: false, refresh: false });
  });

  it('gives the unknown error for a code that nobody knows', () => {
    expect(errorName(999)).toBe('UNKNOWN_SERVER_ERROR');
    expect(errorName(-2)).toBe('UNKNOWN_SERVER_ERROR');
  });
});
