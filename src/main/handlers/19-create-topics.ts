/** CreateTopics: each topic on its own; one that is refused does not stop the others. */
import type { TopicMetadata } from '../../cluster/metadata-image.ts';
import type { CatalogResult } from '../../cluster/topic-rules.ts';
import { ZERO_TOPIC_ID } from '../../cluster/topic-id.ts';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { describeTopicConfigs } from '../../config/describe.ts';
import { createTopics } from '../../protocol/apis/19-create-topics.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { PartedResponse } from '../../protocol/parted-response.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { Handler, Request } from '../requests.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { attempt, distinct, duplicates, errorOf, invalidRequest, NO_ERROR, PARTITIONS_AT_ONCE_MAX, type ElementError } from './admin.ts';
import { changeEach, encodeEach } from './paced.ts';

type Asked = RequestOf<typeof createTopics>['topics'][number];
type Answer = ResponseInput<typeof createTopics>['topics'][number];

/** What became of one topic. */
type Outcome = { readonly name: string } & ({ readonly topic: TopicMetadata } | { readonly error: ElementError });

/** First version whose answer tells the settings of a topic. */
const CONFIGS_VERSION = 5;
const TOO_MANY: ElementError = {
  errorCode: ErrorCode.POLICY_VIOLATION,
  errorMessage: `More than ${PARTITIONS_AT_ONCE_MAX} partitions in one request: create the topics in several.`,
};

export interface CreateTopicsParts {
  readonly lifecycle: TopicLifecycle;
  readonly broker: BrokerConfig;
}

/** See the file header. */
export function createTopicsHandler(parts: CreateTopicsParts): Handler {
  return async (request) => {
    const body = decodeRequest(createTopics, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const { apiVersion } = request;
    const named = distinct(body.topics, ({ name }) => name);
    const outcomes = isExcessive(body.topics)
      ? named.map(({ name }): Outcome => ({ name, error: TOO_MANY }))
      : await createAll(request, parts, body.topics, named, body.validateOnly);
    const response = new PartedResponse(createTopics, apiVersion, 'topics');
    const answerOf = (outcome: Outcome): Answer => answer(outcome, parts.broker, apiVersion, body.validateOnly);
    const isWanted = await encodeEach(request, response, outcomes, answerOf, ({ configs }) => configs?.length ?? 0);
    request.respond(isWanted ? response.finish(request.correlationId, {}) : []);
  };
}

/** Whether the topics of one request have more partitions together than one request may make. */
function isExcessive(topics: readonly Asked[]): boolean {
  let partitions = 0;
  for (const { numPartitions, assignments } of topics) partitions += Math.max(1, numPartitions, assignments.length);
  return partitions > PARTITIONS_AT_ONCE_MAX;
}

function createAll(
  request: Request,
  parts: CreateTopicsParts,
  topics: readonly Asked[],
  named: readonly Asked[],
  validateOnly: boolean,
): Promise<Outcome[]> {
  const twice = duplicates(topics.map(({ name }) => name));
  return changeEach(request, named, async (topic) =>
    twice.has(topic.name) ? { name: topic.name, error: invalidRequest('Duplicate topic name.') } : createOne(parts, topic, validateOnly),
  );
}

async function createOne({ lifecycle, broker }: CreateTopicsParts, asked: Asked, validateOnly: boolean): Promise<Outcome> {
  const { name } = asked;
  const assigned = asked.assignments.length > 0;
  const problem = assigned ? assignmentProblem(asked, broker.nodeId) : null;
  if (problem !== null) return { name, error: problem };
  const partitions = assigned ? asked.assignments.length : asked.numPartitions;
  const replicationFactor = assigned ? 1 : asked.replicationFactor;
  const configs = Object.fromEntries(asked.configs.map((config) => [config.name, config.value]));
  const result: CatalogResult<TopicMetadata> = await attempt(() =>
    lifecycle.createTopic({ name, partitions, replicationFactor, configs }, { validateOnly }),
  );
  return result.ok ? { name, topic: result.value } : { name, error: errorOf(result) };
}

function answer(outcome: Outcome, broker: BrokerConfig, apiVersion: number, validateOnly: boolean): Answer {
  const { name } = outcome;
  if ('error' in outcome) {
    return { name, topicId: ZERO_TOPIC_ID, ...outcome.error, numPartitions: -1, replicationFactor: -1, configs: [] };
  }
  const { topic } = outcome;
  const described = apiVersion < CONFIGS_VERSION ? [] : describeTopicConfigs(topic.configs, broker);
  return {
    name,
    topicId: validateOnly ? ZERO_TOPIC_ID : topic.topicId,
    ...NO_ERROR,
    numPartitions: topic.partitionCount,
    replicationFactor: 1,
    configs: described.map(({ name: setting, value, readOnly, source, sensitive }) => ({
      name: setting,
      value,
      readOnly,
      configSource: source,
      isSensitive: sensitive,
    })),
  };
}

/** What is wrong with a topic that says itself where its partitions go. */
function assignmentProblem(asked: Asked, nodeId: number): ElementError | null {
  if (asked.numPartitions !== -1 || asked.replicationFactor !== -1) {
    return invalidRequest('Both numPartitions and replicationFactor must be -1 when assignments are given.');
  }
  const invalid = (errorMessage: string): ElementError => ({ errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT, errorMessage });
  const indexes = asked.assignments.map(({ partitionIndex }) => partitionIndex).sort((a, b) => a - b);
  if (indexes.some((index, i) => index !== i)) return invalid('Partitions must be numbered from 0 on, each once.');
  const isHere = asked.assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId);
  return isHere ? null : invalid(`Every partition must be assigned to broker ${nodeId}, the only one there is.`);
}
