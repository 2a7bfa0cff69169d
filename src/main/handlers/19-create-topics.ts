/** CreateTopics: each topic on its own; one that is refused does not stop the others. */
import type { TopicMetadata } from '../../cluster/metadata-image.ts';
import type { CatalogResult } from '../../cluster/topic-rules.ts';
import { ZERO_TOPIC_ID } from '../../cluster/topic-id.ts';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { describeTopicConfigs } from '../../config/describe.ts';
import { createTopics } from '../../protocol/apis/19-create-topics.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { attempt, duplicates, errorOf, invalidRequest, NO_ERROR, type ElementError } from './admin.ts';

type Asked = RequestOf<typeof createTopics>['topics'][number];
type Answer = ResponseInput<typeof createTopics>['topics'][number];

export interface CreateTopicsParts {
  readonly lifecycle: TopicLifecycle;
  readonly broker: BrokerConfig;
}

/** See the file header. */
export function createTopicsHandler(parts: CreateTopicsParts): Handler {
  return async (request) => {
    const body = decodeRequest(createTopics, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const twice = duplicates(body.topics.map(({ name }) => name));
    const asked = body.topics.filter(({ name }) => !twice.has(name));
    const topics: Answer[] = [...twice].map((name) => refused(name, invalidRequest('Duplicate topic name.')));
    topics.push(...(await Promise.all(asked.map((topic) => createOne(parts, topic, body.validateOnly)))));
    request.respond([encodeResponseFrame(createTopics, request.apiVersion, request.correlationId, { topics })]);
  };
}

async function createOne({ lifecycle, broker }: CreateTopicsParts, asked: Asked, validateOnly: boolean): Promise<Answer> {
  const assigned = asked.assignments.length > 0;
  const problem = assigned ? assignmentProblem(asked, broker.nodeId) : null;
  if (problem !== null) return refused(asked.name, problem);
  const partitions = assigned ? asked.assignments.length : asked.numPartitions;
  const replicationFactor = assigned ? 1 : asked.replicationFactor;
  const configs = Object.fromEntries(asked.configs.map(({ name, value }) => [name, value]));
  const result: CatalogResult<TopicMetadata> = await attempt(() =>
    lifecycle.createTopic({ name: asked.name, partitions, replicationFactor, configs }, { validateOnly }),
  );
  if (!result.ok) return refused(asked.name, errorOf(result));
  const { value: topic } = result;
  return {
    name: asked.name,
    topicId: validateOnly ? ZERO_TOPIC_ID : topic.topicId,
    ...NO_ERROR,
    numPartitions: topic.partitionCount,
    replicationFactor: 1,
    configs: describeTopicConfigs(topic.configs, broker).map(({ name, value, readOnly, source, sensitive }) => ({
      name,
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

function refused(name: string, error: ElementError): Answer {
  return { name, topicId: ZERO_TOPIC_ID, ...error, numPartitions: -1, replicationFactor: -1, configs: [] };
}
