/**
 * DescribeTopicPartitions: topics and their partitions in the order of their names, so many partitions an answer, with a cursor to where the next one goes
 * on. An empty list stands for all topics.
 */
import { ZERO_TOPIC_ID } from '../../cluster/topic-id.ts';
import { topicNameProblem } from '../../cluster/topic-rules.ts';
import { describeTopicPartitions } from '../../protocol/apis/75-describe-topic-partitions.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import type { Router, Topic } from '../router.ts';
import { respondEach } from './paced.ts';
import { OPERATIONS_NOT_ASKED_FOR, placementOf, TOPIC_OPERATIONS } from './topology.ts';

type Asked = RequestOf<typeof describeTopicPartitions>;
type Answer = ResponseInput<typeof describeTopicPartitions>;
type TopicAnswer = Answer['topics'][number];

/** Most partitions of one answer, whatever the request says; `max.request.partition.size.limit` of Kafka. */
const PARTITIONS_MAX = 2000;

/** What is answered, and where the next request goes on. */
interface Page {
  readonly topics: TopicAnswer[];
  readonly nextCursor: Answer['nextCursor'];
}

/** See the file header. */
export function describeTopicPartitionsHandler(router: Router, nodeId: number): Handler {
  return (request) => {
    const body = decodeRequest(describeTopicPartitions, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const { topics, nextCursor } = pageOf(router, nodeId, body);
    const costOf = ({ partitions }: TopicAnswer): number => partitions.length;
    return respondEach(request, describeTopicPartitions, 'topics', topics, { nextCursor }, costOf);
  };
}

function pageOf(router: Router, nodeId: number, { topics, cursor, responsePartitionLimit }: Asked): Page {
  const isAll = topics.length === 0;
  const from = cursor?.topicName ?? '';
  const wanted = [...new Set(topics.map(({ name }) => name))].filter((name) => name >= from).sort();
  // A cursor that does not belong to this request: its topic is none of those, or it names no partition.
  if (cursor !== null && (cursor.partitionIndex < 0 || (!isAll && wanted[0] !== from)))
    return { topics: topics.map(({ name }) => refused(name, ErrorCode.INVALID_REQUEST, OPERATIONS_NOT_ASKED_FOR)), nextCursor: null };
  const answers: TopicAnswer[] = [];
  let room = Math.max(1, Math.min(responsePartitionLimit, PARTITIONS_MAX));
  for (const topicName of isAll ? router.namesFrom(from) : wanted) {
    if (room === 0) return { topics: answers, nextCursor: { topicName, partitionIndex: 0 } };
    const topic = router.topicByName(topicName);
    if (topic === undefined) {
      const errorCode =
        topicNameProblem(topicName) === undefined ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION;
      answers.push(refused(topicName, errorCode, TOPIC_OPERATIONS));
      continue;
    }
    const first = cursor?.topicName === topicName ? cursor.partitionIndex : 0;
    const answer = describe(topic, nodeId, first, room);
    answers.push(answer);
    room -= answer.partitions.length;
    const next = first + answer.partitions.length;
    if (room === 0 && next < topic.partitions.length) return { topics: answers, nextCursor: { topicName, partitionIndex: next } };
  }
  return { topics: answers, nextCursor: null };
}

function describe(topic: Topic, nodeId: number, first: number, room: number): TopicAnswer {
  const partitions = topic.partitions.slice(first, first + room).flatMap((view) => (view === undefined ? [] : [placementOf(view, nodeId)]));
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.internal,
    // With one replica there is nobody who could lead after it: empty, not unknown.
    partitions: partitions.map((placement) => ({ ...placement, eligibleLeaderReplicas: [], lastKnownElr: [] })),
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  };
}

function refused(name: string, errorCode: number, topicAuthorizedOperations: number): TopicAnswer {
  return { errorCode, name, topicId: ZERO_TOPIC_ID, isInternal: false, partitions: [], topicAuthorizedOperations };
}
