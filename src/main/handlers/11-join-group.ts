/** JoinGroup: the answer comes with the next generation of the group. */
import { randomUUID } from 'node:crypto';
import type { JoinAnswer, JoinRequest } from '../../coordinator/group-requests.ts';
import { joinGroup } from '../../protocol/apis/11-join-group.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler, Request } from '../requests.ts';
import { copyOf, ticketOf } from './groups.ts';

/** First versions in which … a rebalance has a timeout of its own, */
const REBALANCE_TIMEOUT_VERSION = 1;
/** a dynamic member comes with an id, */
const KNOWN_MEMBER_ID_VERSION = 4;
/** no protocol is null, */
const NULL_PROTOCOL_VERSION = 7;
/** and a leader can be told not to assign. */
const SKIP_ASSIGNMENT_VERSION = 9;

/** What of a client's name becomes part of a member id. Half of a sign at its end would come back as another. */
const CLIENT_ID_LENGTH_MAX = 255;

/** See the file header. */
export function joinGroupHandler(coordinator: Pick<GroupCoordinator, 'join'>): Handler {
  return (request) => {
    const { apiVersion } = request;
    const join = joinOf(request);
    request.becomeParked();
    const ticket = ticketOf(request, joinGroup, (answer: JoinAnswer) => ({
      throttleTimeMs: 0,
      ...answer,
      protocolName: answer.protocolName ?? (apiVersion >= NULL_PROTOCOL_VERSION ? null : ''),
      skipAssignment: apiVersion >= SKIP_ASSIGNMENT_VERSION && answer.skipAssignment,
    }));
    coordinator.join(join, ticket);
  };
}

function joinOf(request: Request): JoinRequest {
  const { apiVersion, connection } = request;
  const body = decodeRequest(joinGroup, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
  return {
    groupId: body.groupId,
    memberId: body.memberId,
    groupInstanceId: body.groupInstanceId,
    clientId: (request.clientId ?? '').slice(0, CLIENT_ID_LENGTH_MAX).toWellFormed(),
    // As Kafka writes an address, so that tools show the same.
    clientHost: `/${connection.remoteAddress}`,
    sessionTimeoutMs: body.sessionTimeoutMs,
    rebalanceTimeoutMs: apiVersion >= REBALANCE_TIMEOUT_VERSION ? Math.max(0, body.rebalanceTimeoutMs) : body.sessionTimeoutMs,
    protocolType: body.protocolType,
    protocols: body.protocols.map(({ name, metadata }) => ({ name, metadata: copyOf(metadata) })),
    needsKnownMemberId: apiVersion >= KNOWN_MEMBER_ID_VERSION,
    canSkipAssignment: apiVersion >= SKIP_ASSIGNMENT_VERSION,
    uniqueId: randomUUID(),
  };
}
