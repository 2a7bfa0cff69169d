/** LeaveGroup: one member of its own accord, or from version 3 on many, also static ones by their instance ids alone. */
import { leaveGroup } from '../../protocol/apis/13-leave-group.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';

/** First version that names many. */
const MEMBERS_VERSION = 3;

/** See the file header. */
export function leaveGroupHandler(coordinator: Pick<GroupCoordinator, 'leave'>): Handler {
  return (request) => {
    const { apiVersion, correlationId } = request;
    const body = decodeRequest(leaveGroup, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const isOne = apiVersion < MEMBERS_VERSION;
    const leaving = isOne
      ? [{ memberId: body.memberId, groupInstanceId: null }]
      : body.members.map(({ memberId, groupInstanceId }) => ({ memberId, groupInstanceId }));
    const { errorCode, members } = coordinator.leave({ groupId: body.groupId, members: leaving });
    const own = isOne && errorCode === ErrorCode.NONE ? (members[0]?.errorCode ?? ErrorCode.NONE) : errorCode;
    const answer = { throttleTimeMs: 0, errorCode: own, members: isOne ? [] : members };
    request.respond([encodeResponseFrame(leaveGroup, apiVersion, correlationId, answer)]);
  };
}
