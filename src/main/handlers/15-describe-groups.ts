/** DescribeGroups: state and members. A group that does not exist is described as dead; from version 6 on that is an error. */
import { shown } from '../../config/definition.ts';
import type { DescribedGroup } from '../../coordinator/group-requests.ts';
import { describeGroups } from '../../protocol/apis/15-describe-groups.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { ResponseInput } from '../../protocol/schema.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';
import { GROUP_OPERATIONS } from './groups.ts';
import { distinctEach, readEach, respondEach } from './paced.ts';
import { OPERATIONS_NOT_ASKED_FOR } from './topology.ts';

type Answer = ResponseInput<typeof describeGroups>['groups'][number];

const NOT_FOUND_VERSION = 6;

/** See the file header. */
export function describeGroupsHandler(coordinator: Pick<GroupCoordinator, 'describe'>): Handler {
  return async (request) => {
    const { apiVersion } = request;
    const body = decodeRequest(describeGroups, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const operations = body.includeAuthorizedOperations ? GROUP_OPERATIONS : OPERATIONS_NOT_ASKED_FOR;
    // Each once: an answer is no larger than the groups there are.
    const asked = await distinctEach(request, body.groups, (groupId) => groupId);
    const answers = await readEach(request, asked, (groupId) => answerOf(groupId, coordinator.describe(groupId), apiVersion, operations));
    if (answers === null) return request.respond([]);
    return respondEach(request, describeGroups, 'groups', answers, { throttleTimeMs: 0 }, ({ members }) => members.length);
  };
}

function answerOf(groupId: string, group: DescribedGroup | undefined | number, apiVersion: number, operations: number): Answer {
  const nothing = { groupId, protocolType: '', protocolData: '', members: [], authorizedOperations: OPERATIONS_NOT_ASKED_FOR };
  if (typeof group === 'number') return { ...nothing, errorCode: group, groupState: '' };
  if (group === undefined) {
    const isError = apiVersion >= NOT_FOUND_VERSION;
    const error = isError
      ? { errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage: `Group ${shown(groupId)} not found.` }
      : { errorCode: ErrorCode.NONE };
    return { ...nothing, ...error, groupState: 'Dead', authorizedOperations: isError ? OPERATIONS_NOT_ASKED_FOR : operations };
  }
  return {
    errorCode: ErrorCode.NONE,
    groupId,
    groupState: group.state,
    protocolType: group.protocolType,
    protocolData: group.protocolName,
    members: group.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      memberMetadata: member.subscription,
      memberAssignment: member.assignment,
    })),
    authorizedOperations: operations,
  };
}
