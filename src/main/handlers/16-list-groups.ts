/** ListGroups: every group of this broker, or those in some states or of some types. All are of the type `classic`. */
import { listGroups } from '../../protocol/apis/16-list-groups.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';
import { respondEach } from './paced.ts';

const TYPE = 'classic';

/** See the file header. */
export function listGroupsHandler(coordinator: Pick<GroupCoordinator, 'list'>): Handler {
  return (request) => {
    const body = decodeRequest(listGroups, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const groups = coordinator.list();
    if (typeof groups === 'number') return respondEach(request, listGroups, 'groups', [], { throttleTimeMs: 0, errorCode: groups });
    // However they are written, as in Kafka; what nobody knows is the state, or the type, of no group.
    const states = new Set(body.statesFilter.map(plain));
    const types = new Set(body.typesFilter.map(plain));
    const isAsked = (state: string): boolean => (states.size === 0 || states.has(plain(state))) && (types.size === 0 || types.has(TYPE));
    const answers = groups
      .filter(({ state }) => isAsked(state))
      .map(({ groupId, protocolType, state }) => ({ groupId, protocolType, groupState: state, groupType: TYPE }));
    return respondEach(request, listGroups, 'groups', answers, { throttleTimeMs: 0, errorCode: ErrorCode.NONE });
  };
}

function plain(word: string): string {
  return word.trim().toLowerCase();
}
