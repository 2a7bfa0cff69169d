/** What the handlers of groups share. */
import type { Ticket } from '../../coordinator/effects.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { Api, ResponseInput } from '../../protocol/schema.ts';
import type { Request } from '../requests.ts';

/** Everything that may be done with a group while there are no ACLs, one bit per operation: read, delete, describe, describe and alter its configuration. */
export const GROUP_OPERATIONS = 0b1101_0100_1000;

/** Answers `request` with what `responseOf` makes of the coordinator's answer: mostly later, when what the answer is of has been secured. */
export function ticketOf<A extends Api, R>(request: Request, api: A, responseOf: (answer: R) => ResponseInput<A>): Ticket<R> {
  return {
    answer: (answer) => {
      let frame: Buffer;
      try {
        frame = encodeResponseFrame(api, request.apiVersion, request.correlationId, responseOf(answer));
      } catch (error) {
        // Others wait for their answers behind this one.
        request.fail(error);
        return;
      }
      request.respond([frame]);
    },
  };
}

/** A copy that outlives the request. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}
