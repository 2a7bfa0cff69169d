/** CreatePartitions: each topic on its own; one that is refused does not stop the others. */
import { createPartitions } from '../../protocol/apis/37-create-partitions.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import type { Router } from '../router.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { attempt, distinct, duplicates, errorOf, invalidRequest, NO_ERROR, PARTITIONS_AT_ONCE_MAX, type ElementError } from './admin.ts';
import { changeEach, respondEach } from './paced.ts';

type Asked = RequestOf<typeof createPartitions>['topics'][number];
type Answer = ResponseInput<typeof createPartitions>['results'][number];

const TOO_MANY: ElementError = {
  errorCode: ErrorCode.POLICY_VIOLATION,
  errorMessage: `More than ${PARTITIONS_AT_ONCE_MAX} new partitions in one request: create them in several.`,
};

export interface CreatePartitionsParts {
  readonly router: Router;
  readonly lifecycle: TopicLifecycle;
  readonly nodeId: number;
}

/** See the file header. */
export function createPartitionsHandler(parts: CreatePartitionsParts): Handler {
  return async (request) => {
    const body = decodeRequest(createPartitions, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const named = distinct(body.topics, ({ name }) => name);
    const twice = duplicates(body.topics.map(({ name }) => name));
    const tooMany = isExcessive(parts.router, named);
    const answers = await changeEach(request, named, async (topic): Promise<Answer> => {
      const { name } = topic;
      if (twice.has(name)) return { name, ...invalidRequest('Duplicate topic name.') };
      return { name, ...(tooMany ? TOO_MANY : await createIn(parts, topic, body.validateOnly)) };
    });
    return respondEach(request, createPartitions, 'results', answers, { throttleTimeMs: 0 });
  };
}

/** Whether one request would make more partitions than one request may. */
function isExcessive(router: Router, topics: readonly Asked[]): boolean {
  let added = 0;
  for (const { name, count } of topics) {
    const topic = router.topicByName(name);
    if (topic !== undefined) added += Math.max(0, count - topic.partitions.length);
  }
  return added > PARTITIONS_AT_ONCE_MAX;
}

async function createIn({ router, lifecycle, nodeId }: CreatePartitionsParts, asked: Asked, validateOnly: boolean): Promise<ElementError> {
  const { name, count, assignments } = asked;
  const added = count - (router.topicByName(name)?.partitions.length ?? count);
  // Whether it may grow to that count comes first: only then a number of assignments can be right.
  const checked = await attempt(() => lifecycle.createPartitions(name, count, { validateOnly: true }));
  if (!checked.ok) return errorOf(checked);
  const problem = assignments === null ? null : assignmentProblem(assignments, added, nodeId);
  if (problem !== null) return { errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT, errorMessage: problem };
  if (validateOnly) return NO_ERROR;
  const result = await attempt(() => lifecycle.createPartitions(name, count));
  return result.ok ? NO_ERROR : errorOf(result);
}

/** What is wrong with new partitions that say themselves where they go. */
function assignmentProblem(assignments: NonNullable<Asked['assignments']>, added: number, nodeId: number): string | null {
  if (assignments.length !== added)
    return `Attempted to add ${added} additional partition(s), but ${assignments.length} assignment(s) were specified.`;
  for (const { brokerIds } of assignments) {
    if (brokerIds.length === 0) return 'The manual partition assignment includes an empty replica list.';
    const unknown = brokerIds.find((brokerId) => brokerId !== nodeId);
    if (unknown !== undefined) return `The manual partition assignment includes broker ${unknown}, but no such broker is registered.`;
    if (brokerIds.length > 1) return `The manual partition assignment includes the broker ${nodeId} more than once.`;
  }
  return null;
}
