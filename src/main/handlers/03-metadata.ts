/** Metadata: brokers, topics, partitions; creates topics that are asked for and missing, where that is allowed. */
import { ZERO_TOPIC_ID } from '../../cluster/topic-id.ts';
import { topicNameProblem } from '../../cluster/topic-rules.ts';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { metadata } from '../../protocol/apis/03-metadata.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { ResponseInput } from '../../protocol/schema.ts';
import type { PartitionView } from '../partition-view.ts';
import type { Handler, RequestConnection } from '../requests.ts';
import type { Router, Topic } from '../router.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { attempt } from './admin.ts';

type TopicAnswer = ResponseInput<typeof metadata>['topics'][number];
type PartitionAnswer = TopicAnswer['partitions'][number];

/** From this version on a null list means all topics, and an empty one none. */
const NULL_MEANS_ALL_VERSION = 1;
/** From this version on a topic may be asked for by its id alone. */
const BY_ID_VERSION = 12;

/** Nobody may do less than everything while there are no ACLs: one bit per operation that applies. */
const TOPIC_OPERATIONS = 0b1101_1111_1000;
const CLUSTER_OPERATIONS = 0b1_1111_1010_0000;
const OPERATIONS_NOT_ASKED_FOR = -2147483648;

const INTERNAL_TOPICS: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state', '__share_group_state']);

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
    const { apiVersion } = request;
    const body = decodeRequest(metadata, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const operations = body.includeTopicAuthorizedOperations ? TOPIC_OPERATIONS : OPERATIONS_NOT_ASKED_FOR;
    const isAll = body.topics === null || (apiVersion < NULL_MEANS_ALL_VERSION && body.topics.length === 0);
    const topics: TopicAnswer[] = [];
    if (isAll) for (const topic of router.topics()) topics.push(describe(topic, broker.nodeId, operations));
    else {
      const mayCreate = broker.autoCreateTopics && body.allowAutoTopicCreation;
      topics.push(...(await Promise.all((body.topics ?? []).map((topic) => answerOne(parts, topic, apiVersion, mayCreate, operations)))));
    }
    const { host, port } = advertisedAddress(broker, request.connection);
    const answer = {
      brokers: [{ nodeId: broker.nodeId, host, port, rack: null }],
      clusterId: parts.clusterId,
      controllerId: broker.nodeId,
      topics,
      clusterAuthorizedOperations: body.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_NOT_ASKED_FOR,
    };
    request.respond([encodeResponseFrame(metadata, apiVersion, request.correlationId, answer)]);
  };
}

/** Where a client that came in on `connection` is told to find this broker. */
export function advertisedAddress(broker: BrokerConfig, connection: RequestConnection): { host: string; port: number } {
  if (broker.advertised !== undefined) return broker.advertised;
  // An IPv4 client of an IPv6 socket wants to see its own kind of address.
  return { host: connection.localAddress.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, ''), port: connection.localPort };
}

async function answerOne(
  parts: MetadataParts,
  asked: { readonly topicId: string; readonly name: string | null },
  apiVersion: number,
  mayCreate: boolean,
  operations: number,
): Promise<TopicAnswer> {
  const { router, lifecycle, broker } = parts;
  const refused = (errorCode: number, topicId = ZERO_TOPIC_ID): TopicAnswer => ({
    errorCode,
    // Null is only legal where ids are.
    name: asked.name ?? (apiVersion >= BY_ID_VERSION ? null : ''),
    topicId,
    partitions: [],
    topicAuthorizedOperations: OPERATIONS_NOT_ASKED_FOR,
  });
  const isById = asked.topicId !== ZERO_TOPIC_ID;
  if ((isById || asked.name === null) && apiVersion < BY_ID_VERSION) return refused(ErrorCode.INVALID_REQUEST);
  if (isById) {
    const topic = router.topicById(asked.topicId);
    return topic === undefined
      ? { ...refused(ErrorCode.UNKNOWN_TOPIC_ID, asked.topicId), name: null }
      : describe(topic, broker.nodeId, operations);
  }
  if (asked.name === null) return refused(ErrorCode.INVALID_REQUEST);
  const name = asked.name;
  const known = router.topicByName(name);
  if (known !== undefined) return describe(known, broker.nodeId, operations);
  if (topicNameProblem(name) !== undefined) return refused(ErrorCode.INVALID_TOPIC_EXCEPTION);
  if (!mayCreate) return refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  const created = await attempt(() => lifecycle.autoCreateTopic(name));
  if (!created.ok) return refused(ErrorCode[created.error]);
  const topic = router.topicByName(name);
  // Deleted again meanwhile, or still being opened by somebody else: the client asks once more.
  return topic === undefined ? refused(ErrorCode.LEADER_NOT_AVAILABLE) : describe(topic, broker.nodeId, operations);
}

function describe(topic: Topic, nodeId: number, operations: number): TopicAnswer {
  const partitions: PartitionAnswer[] = [];
  for (const view of topic.partitions) if (view !== undefined) partitions.push(describePartition(view, nodeId));
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: INTERNAL_TOPICS.has(topic.name),
    partitions,
    topicAuthorizedOperations: operations,
  };
}

function describePartition(view: PartitionView, nodeId: number): PartitionAnswer {
  const isOffline = view.state === 'offline' || view.state === 'opening';
  return {
    errorCode: isOffline ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
    partitionIndex: view.partition,
    leaderId: isOffline ? -1 : nodeId,
    leaderEpoch: view.leaderEpoch,
    replicaNodes: [nodeId],
    isrNodes: isOffline ? [] : [nodeId],
    offlineReplicas: isOffline ? [nodeId] : [],
  };
}
