/** SyncGroup: the leader says who gets what; everybody is told once that is stored. */
import type { SyncAnswer } from '../../coordinator/group-requests.ts';
import { syncError } from '../../coordinator/rebalance.machine.ts';
import { syncGroup } from '../../protocol/apis/14-sync-group.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';
import { copyOf, ticketOf } from './groups.ts';

/** From this version on a member says what protocol it thinks the group has. */
const PROTOCOL_VERSION = 5;

/** See the file header. */
export function syncGroupHandler(coordinator: Pick<GroupCoordinator, 'sync'>): Handler {
  return (request) => {
    const { apiVersion } = request;
    const body = decodeRequest(syncGroup, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const assignments = body.assignments.map(({ memberId, assignment }) => ({ memberId, assignment: copyOf(assignment) }));
    request.becomeParked();
    const ticket = ticketOf(request, syncGroup, (answer: SyncAnswer) => ({ throttleTimeMs: 0, ...answer }));
    if (apiVersion >= PROTOCOL_VERSION && (body.protocolType === null || body.protocolName === null))
      return ticket.answer(syncError(ErrorCode.INCONSISTENT_GROUP_PROTOCOL));
    coordinator.sync({ ...body, assignments }, ticket);
  };
}
