/**
 * OffsetFetch: what groups have committed, of some partitions or of all. Only what is secured is shown. There are no transactional commits yet, so nothing is
 * ever unstable. Whatever is asked for several times is answered once: what a partition has to tell is a thousand times as long as to ask for it.
 */
import { ZERO_TOPIC_ID } from '../../cluster/topic-id.ts';
import { offsetFetch } from '../../protocol/apis/09-offset-fetch.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import type { ArrayGap } from '../../protocol/encode.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { PartedArray } from '../../protocol/parted-response.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler, Request } from '../requests.ts';
import type { Router } from '../router.ts';
import { distinctEach, encodeEach, readEach, respondEach } from './paced.ts';

type Asked = NonNullable<RequestOf<typeof offsetFetch>['groups']>[number];
type AskedTopic = NonNullable<Asked['topics']>[number];
type Answer = NonNullable<ResponseInput<typeof offsetFetch>['groups']>[number];
type PartitionAnswer = Answer['topics'][number]['partitions'][number];
type GroupOffsets = Exclude<ReturnType<GroupCoordinator['offsetsOf']>, number | undefined>;

/** Both names of a topic: versions differ in which they say. */
interface TopicAnswer {
  readonly name: string;
  readonly topicId: string;
  readonly partitions: readonly PartitionAnswer[];
}

interface GroupAnswer {
  readonly groupId: string;
  readonly errorCode: number;
  readonly topics: readonly TopicAnswer[];
}

/** First versions with … an error for the group as a whole, */
const GROUP_ERROR_VERSION = 2;
/** many groups, */
const GROUPS_VERSION = 8;
/** and topic ids. */
const TOPIC_ID_VERSION = 10;

/** See the file header. */
export function offsetFetchHandler(
  coordinator: Pick<GroupCoordinator, 'offsetsOf'>,
  router: Pick<Router, 'topicByName' | 'topicById'>,
): Handler {
  return async (request) => {
    const { apiVersion } = request;
    const body = decodeRequest(offsetFetch, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const byId = apiVersion >= TOPIC_ID_VERSION;
    if (apiVersion >= GROUPS_VERSION) {
      const asked = await distinctEach(request, body.groups, ({ groupId }) => groupId);
      const answers = await readEach(request, asked, (group) => answerGroup(coordinator, router, group, byId));
      if (answers === null) return request.respond([]);
      const [first] = answers;
      // One group may have more offsets than one step encodes; of many groups each has a step.
      if (answers.length === 1 && first !== undefined) return respondGroup(request, first);
      return respondEach(request, offsetFetch, 'groups', answers, { throttleTimeMs: 0 }, costOf);
    }
    const topics = body.topics?.map((topic) => ({ ...topic, topicId: ZERO_TOPIC_ID })) ?? null;
    const answer = answerGroup(coordinator, router, { groupId: body.groupId, memberId: null, memberEpoch: -1, topics }, false);
    const isTold = apiVersion >= GROUP_ERROR_VERSION;
    // Oldest versions have no place for an error of the group: every partition bears it.
    const told = isTold || answer.errorCode === ErrorCode.NONE ? answer.topics : failedTopics(topics ?? [], answer.errorCode);
    const rest = { throttleTimeMs: 0, errorCode: isTold ? answer.errorCode : ErrorCode.NONE };
    return respondEach(request, offsetFetch, 'topics', told, rest, ({ partitions }) => partitions.length);
  };
}

async function respondGroup(request: Request, { groupId, errorCode, topics }: GroupAnswer): Promise<void> {
  const response = new PartedArray<TopicAnswer>(offsetFetch, request.apiVersion, ['groups', 'topics']);
  const isWanted = await encodeEach(
    request,
    response,
    topics,
    (topic) => topic,
    ({ partitions }) => partitions.length,
  );
  const around = (gap: ArrayGap): object => ({ throttleTimeMs: 0, groups: [{ groupId, errorCode, topics: gap }] });
  request.respond(isWanted ? response.finish(request.correlationId, around) : []);
}

function costOf({ topics }: Answer): number {
  return topics.reduce((sum, { partitions }) => sum + partitions.length, 0);
}

function answerGroup(
  coordinator: Pick<GroupCoordinator, 'offsetsOf'>,
  router: Pick<Router, 'topicByName' | 'topicById'>,
  { groupId, topics }: Asked,
  byId: boolean,
): GroupAnswer {
  const offsets = coordinator.offsetsOf(groupId);
  if (typeof offsets === 'number') return { groupId, errorCode: toldError(offsets), topics: [] };
  const answers =
    topics === null ? allTopics(offsets, router, byId) : eachOnce(topics).map((topic) => askedTopic(offsets, router, topic, byId));
  return { groupId, errorCode: ErrorCode.NONE, topics: answers };
}

/** Java's consumers before 3.9 end at COORDINATOR_NOT_AVAILABLE here, and here alone. What Kafka answers instead makes every client ask again. */
function toldError(errorCode: number): number {
  return errorCode === ErrorCode.COORDINATOR_NOT_AVAILABLE ? ErrorCode.NOT_COORDINATOR : errorCode;
}

/** The topics with every partition of them that was not asked for before. */
function eachOnce(topics: readonly AskedTopic[]): AskedTopic[] {
  const seen = new Map<string, Set<number>>();
  return topics.map((topic) => {
    const key = topic.name === '' ? topic.topicId : topic.name;
    let partitions = seen.get(key);
    if (partitions === undefined) seen.set(key, (partitions = new Set()));
    const partitionIndexes: number[] = [];
    for (const partition of topic.partitionIndexes) {
      if (!partitions.has(partition)) partitionIndexes.push(partition);
      partitions.add(partition);
    }
    return { ...topic, partitionIndexes };
  });
}

function askedTopic(offsets: GroupOffsets | undefined, router: Pick<Router, 'topicById'>, asked: AskedTopic, byId: boolean): TopicAnswer {
  const name = byId ? router.topicById(asked.topicId)?.name : asked.name;
  const partitions = asked.partitionIndexes.map((partition) =>
    name === undefined ? nothing(partition, ErrorCode.UNKNOWN_TOPIC_ID) : shown(offsets, name, partition),
  );
  return { name: asked.name, topicId: asked.topicId, partitions };
}

function allTopics(offsets: GroupOffsets | undefined, router: Pick<Router, 'topicByName'>, byId: boolean): TopicAnswer[] {
  const answers: TopicAnswer[] = [];
  for (const name of offsets?.topicNames() ?? []) {
    const topicId = byId ? router.topicByName(name)?.id : ZERO_TOPIC_ID;
    // It is being deleted: there is no id to call it by.
    if (topicId === undefined) continue;
    const partitions = Array.from(offsets?.ofTopic(name) ?? [], ([partition]) => shown(offsets, name, partition));
    answers.push({ name, topicId, partitions });
  }
  return answers;
}

function shown(offsets: GroupOffsets | undefined, topic: string, partition: number): PartitionAnswer {
  const committed = offsets?.get(topic, partition);
  if (committed === undefined) return nothing(partition, ErrorCode.NONE);
  return {
    partitionIndex: partition,
    committedOffset: committed.offset,
    committedLeaderEpoch: committed.leaderEpoch,
    metadata: committed.metadata,
    errorCode: ErrorCode.NONE,
  };
}

function nothing(partitionIndex: number, errorCode: number): PartitionAnswer {
  return { partitionIndex, committedOffset: -1n, committedLeaderEpoch: -1, metadata: '', errorCode };
}

function failedTopics(topics: readonly AskedTopic[], errorCode: number): TopicAnswer[] {
  return topics.map(({ name, topicId, partitionIndexes }) => ({
    name,
    topicId,
    partitions: partitionIndexes.map((partition) => nothing(partition, errorCode)),
  }));
}
