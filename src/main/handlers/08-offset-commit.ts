/** OffsetCommit: answered once the offsets are secured in the log of the groups. Partitions that do not exist are refused one by one; the others stand. */
import type { CommitAnswer, CommitPartition } from '../../coordinator/group-requests.ts';
import { offsetCommit } from '../../protocol/apis/08-offset-commit.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { RequestOf } from '../../protocol/schema.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';
import type { Router, Topic } from '../router.ts';
import { ticketOf } from './groups.ts';

type AskedTopic = RequestOf<typeof offsetCommit>['topics'][number];

/** First versions with … an error of their own for an unknown group, */
const GROUP_ID_NOT_FOUND_VERSION = 9;
/** and with topic ids. */
const TOPIC_ID_VERSION = 10;

/** See the file header. */
export function offsetCommitHandler(
  coordinator: Pick<GroupCoordinator, 'commit'>,
  router: Pick<Router, 'topicByName' | 'topicById'>,
): Handler {
  return (request) => {
    const { apiVersion } = request;
    const body = decodeRequest(offsetCommit, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const byId = apiVersion >= TOPIC_ID_VERSION;
    const taken: CommitPartition[] = [];
    /** Of every partition asked for: its error, or its place among those that are taken. */
    const places: { readonly errorCode: number; readonly index: number }[] = [];
    for (const asked of body.topics) {
      const topic = byId ? router.topicById(asked.topicId) : router.topicByName(asked.name);
      for (const partition of asked.partitions) {
        const errorCode = problemOf(topic, partition.partitionIndex, byId);
        places.push({ errorCode, index: taken.length });
        if (errorCode === ErrorCode.NONE && topic !== undefined) taken.push(committed(topic.name, partition));
      }
    }
    const ticket = ticketOf(request, offsetCommit, ({ errorCodes }: CommitAnswer) => {
      let next = 0;
      const codeOf = (): number => {
        const { errorCode, index } = places[next++] as (typeof places)[number];
        return errorCode === ErrorCode.NONE ? (errorCodes[index] as number) : errorCode;
      };
      const topics = body.topics.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: codeOf() })),
      }));
      return { throttleTimeMs: 0, topics };
    });
    if (taken.length === 0) return ticket.answer({ errorCodes: [] });
    const identity = {
      groupId: body.groupId,
      memberId: body.memberId,
      groupInstanceId: body.groupInstanceId,
      generationId: body.generationIdOrMemberEpoch,
    };
    const knowsGroupIdNotFound = apiVersion >= GROUP_ID_NOT_FOUND_VERSION;
    coordinator.commit({ ...identity, knowsGroupIdNotFound, retentionMs: Number(body.retentionTimeMs), partitions: taken }, ticket);
  };
}

function problemOf(topic: Topic | undefined, partition: number, byId: boolean): number {
  if (topic === undefined) return byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  return topic.partitions[partition] === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.NONE;
}

function committed(topic: string, asked: AskedTopic['partitions'][number]): CommitPartition {
  return {
    topic,
    partition: asked.partitionIndex,
    offset: asked.committedOffset,
    leaderEpoch: asked.committedLeaderEpoch,
    metadata: asked.committedMetadata ?? '',
    commitTimestampMs: Number(asked.commitTimestamp),
  };
}
