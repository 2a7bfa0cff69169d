/** Metadata: brokers, topics, partitions; creates topics that are asked for and missing, where that is allowed. */
import { ZERO_TOPIC_ID } from '../../cluster/topic-id.ts';
import { isReservedName } from '../../cluster/internal-topics.ts';
import { topicNameProblem } from '../../cluster/topic-rules.ts';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { metadata } from '../../protocol/apis/03-metadata.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { PartedResponse } from '../../protocol/parted-response.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { Handler, Request } from '../requests.ts';
import type { Router, Topic } from '../router.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { attempt } from './admin.ts';
import { changeEach, distinctEach, encodeEach } from './paced.ts';
import {
  advertisedAddress,
  CLUSTER_OPERATIONS,
  OPERATIONS_NOT_ASKED_FOR,
  placementOf,
  TOPIC_OPERATIONS,
  type PartitionPlacement,
} from './topology.ts';

type Asked = NonNullable<RequestOf<typeof metadata>['topics']>[number];
type TopicAnswer = ResponseInput<typeof metadata>['topics'][number];

/** From this version on a null list means all topics, and an empty one none. */
const NULL_MEANS_ALL_VERSION = 1;
/** From this version on a topic may be asked for by its id alone. */
const BY_ID_VERSION = 12;

const NO_REFUSALS: ReadonlyMap<string, number> = new Map();

export interface MetadataParts {
  readonly router: Router;
  readonly lifecycle: TopicLifecycle;
  readonly broker: BrokerConfig;
  readonly clusterId: string;
}

/** See the file header. */
export function metadataHandler(parts: MetadataParts): Handler {
  const { router, broker } = parts;
  return async (request) => {
    const { apiVersion, correlationId } = request;
    const body = decodeRequest(metadata, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const operations = body.includeTopicAuthorizedOperations ? TOPIC_OPERATIONS : OPERATIONS_NOT_ASKED_FOR;
    const isAll = body.topics === null || (apiVersion < NULL_MEANS_ALL_VERSION && body.topics.length === 0);
    const response = new PartedResponse(metadata, apiVersion, 'topics');
    const costOf = (answer: TopicAnswer): number => answer.partitions.length;
    let isWanted: boolean;
    if (isAll) {
      const describeKnown = (topic: Topic): TopicAnswer | null => (topic.deleted ? null : describe(topic, broker.nodeId, operations));
      isWanted = await encodeEach(request, response, [...router.topics()], describeKnown, costOf);
    } else {
      // A topic named twice is answered once: the answer is a map.
      const asked = await distinctEach(request, body.topics ?? [], ({ name, topicId }) =>
        topicId === ZERO_TOPIC_ID ? `name ${name}` : topicId,
      );
      const refusals = broker.autoCreateTopics && body.allowAutoTopicCreation ? await createMissing(request, parts, asked) : NO_REFUSALS;
      const answerOne = (topic: Asked): TopicAnswer => describeOrRefuse(parts, topic, apiVersion, refusals, operations);
      isWanted = await encodeEach(request, response, asked, answerOne, costOf);
    }
    if (!isWanted) return request.respond([]);
    const { host, port } = advertisedAddress(broker, request.connection);
    const pieces = response.finish(correlationId, {
      brokers: [{ nodeId: broker.nodeId, host, port, rack: null }],
      clusterId: parts.clusterId,
      controllerId: broker.nodeId,
      clusterAuthorizedOperations: body.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_NOT_ASKED_FOR,
    });
    return request.respond(pieces);
  };
}

/** Creates those of the topics that are asked for by name and do not exist. Returns why, for those that could not be created. */
async function createMissing(
  request: Request,
  { router, lifecycle }: MetadataParts,
  asked: readonly Asked[],
): Promise<ReadonlyMap<string, number>> {
  const refusals = new Map<string, number>();
  const missing = asked.flatMap(({ name, topicId }) =>
    name === null || topicId !== ZERO_TOPIC_ID || !mayCreate(router, name) ? [] : [name],
  );
  await changeEach(request, missing, async (name) => {
    const created = await attempt(() => lifecycle.autoCreateTopic(name));
    // Created: it may be deleted again, or still being opened by somebody else, when the answer is made; then the client asks once more.
    refusals.set(name, created.ok ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode[created.error]);
  });
  return refusals;
}

/** Internal topics have partitions and settings of their own: a client that merely asks for one must not make it. */
function mayCreate(router: Router, name: string): boolean {
  return router.topicByName(name) === undefined && topicNameProblem(name) === undefined && !isReservedName(name);
}

/** @param refusals errors of topics that were to be created, by name */
function describeOrRefuse(
  { router, broker }: MetadataParts,
  asked: Asked,
  apiVersion: number,
  refusals: ReadonlyMap<string, number>,
  operations: number,
): TopicAnswer {
  const refused = (errorCode: number, topicId = ZERO_TOPIC_ID): TopicAnswer => ({
    errorCode,
    // Null is only legal where ids are.
    name: asked.name ?? (apiVersion >= BY_ID_VERSION ? null : ''),
    topicId,
    partitions: [],
    topicAuthorizedOperations: OPERATIONS_NOT_ASKED_FOR,
  });
  const { name } = asked;
  const isById = asked.topicId !== ZERO_TOPIC_ID;
  if ((isById || name === null) && apiVersion < BY_ID_VERSION) return refused(ErrorCode.INVALID_REQUEST);
  if (isById) {
    const topic = router.topicById(asked.topicId);
    return topic === undefined
      ? { ...refused(ErrorCode.UNKNOWN_TOPIC_ID, asked.topicId), name: null }
      : describe(topic, broker.nodeId, operations);
  }
  if (name === null) return refused(ErrorCode.INVALID_REQUEST);
  const topic = router.topicByName(name);
  if (topic !== undefined) return describe(topic, broker.nodeId, operations);
  if (topicNameProblem(name) !== undefined) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION);
  return refused(refusals.get(name) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
}

function describe(topic: Topic, nodeId: number, operations: number): TopicAnswer {
  const partitions: PartitionPlacement[] = [];
  for (const view of topic.partitions) if (view !== undefined) partitions.push(placementOf(view, nodeId));
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: topic.internal,
    partitions,
    topicAuthorizedOperations: operations,
  };
}
