/** DeleteGroups: groups without members, with their offsets. */
import { deleteGroups } from '../../protocol/apis/42-delete-groups.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';
import { changeEach, respondEach } from './paced.ts';

/** See the file header. */
export function deleteGroupsHandler(coordinator: Pick<GroupCoordinator, 'deleteGroup'>): Handler {
  return async (request) => {
    const { groupsNames } = decodeRequest(deleteGroups, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    // A group named twice is answered once: the answer is a map.
    const results = await changeEach(request, [...new Set(groupsNames)], async (groupId) => {
      const errorCode =
        groupId === ''
          ? ErrorCode.INVALID_GROUP_ID
          : await new Promise<number>((resolve) => coordinator.deleteGroup(groupId, { answer: resolve }));
      return { groupId, errorCode };
    });
    return respondEach(request, deleteGroups, 'results', results, { throttleTimeMs: 0 });
  };
}
