/** OffsetDelete: some offsets of a group, for topics that none of its members reads. */
import type { OffsetDeleteAnswer } from '../../coordinator/group-requests.ts';
import { offsetDelete } from '../../protocol/apis/47-offset-delete.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';
import type { Router } from '../router.ts';
import { ticketOf } from './groups.ts';

/** See the file header. */
export function offsetDeleteHandler(coordinator: Pick<GroupCoordinator, 'deleteOffsets'>, router: Pick<Router, 'topicByName'>): Handler {
  return (request) => {
    const { groupId, topics } = decodeRequest(offsetDelete, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const asked = topics.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex }) => ({
        topic: name,
        partition: partitionIndex,
        isKnown: router.topicByName(name)?.partitions[partitionIndex] !== undefined,
      })),
    );
    const known = asked.filter(({ isKnown }) => isKnown);
    const ticket = ticketOf(request, offsetDelete, ({ errorCode, errorCodes }: OffsetDeleteAnswer) => {
      if (errorCode !== ErrorCode.NONE) return { errorCode, throttleTimeMs: 0, topics: [] };
      let next = 0;
      let nextKnown = 0;
      const codeOf = (): number =>
        (asked[next++] as { isKnown: boolean }).isKnown ? (errorCodes[nextKnown++] as number) : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
      const answered = topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: codeOf() })),
      }));
      return { errorCode, throttleTimeMs: 0, topics: answered };
    });
    coordinator.deleteOffsets({ groupId, partitions: known }, ticket);
  };
}
