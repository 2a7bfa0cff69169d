/** DescribeConfigs: of topics, of this broker and its logger, and the defaults of groups and client metrics, of which there are none. */
import type { TopicCatalog } from '../../cluster/topic-catalog.ts';
import { topicNameProblem } from '../../cluster/topic-rules.ts';
import {
  describeBrokerConfigs,
  describeClientMetricsConfigs,
  describeClusterConfigs,
  describeGroupConfigs,
  describeLogger,
  describeTopicConfigs,
  type ConfigEntry,
} from '../../config/describe.ts';
import { describeConfigs } from '../../protocol/apis/32-describe-configs.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { PartedResponse } from '../../protocol/parted-response.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { DynamicConfig } from '../dynamic-config.ts';
import type { Handler } from '../requests.ts';
import { brokerIdProblem, invalidRequest, NO_ERROR, ResourceType, type ElementError } from './admin.ts';
import { distinctEach, encodeEach } from './paced.ts';

type Asked = RequestOf<typeof describeConfigs>['resources'][number];
type Answer = ResponseInput<typeof describeConfigs>['results'][number];

/** An answer that has become this large describes nothing more: thousands of topics with all that can be said of them. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
const TOO_LARGE = invalidRequest(`The answer would be larger than ${ANSWER_BYTES_MAX} bytes: ask for fewer resources at once.`);

export interface DescribeConfigsParts {
  readonly catalog: TopicCatalog;
  readonly dynamic: Pick<DynamicConfig, 'current' | 'logLevel'>;
}

/** See the file header. */
export function describeConfigsHandler(parts: DescribeConfigsParts): Handler {
  return async (request) => {
    const body = decodeRequest(describeConfigs, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const response = new PartedResponse(describeConfigs, request.apiVersion, 'results');
    const resultOf = (resource: Asked): Answer => {
      const { resourceType, resourceName, configurationKeys } = resource;
      const found = response.bytes > ANSWER_BYTES_MAX ? TOO_LARGE : entriesOf(parts, resource);
      if (!Array.isArray(found)) return { ...found, resourceType, resourceName, configs: [] };
      // Null and empty alike stand for all.
      const names = configurationKeys === null || configurationKeys.length === 0 ? null : new Set(configurationKeys);
      const configs = found
        .filter(({ name }) => names === null || names.has(name))
        .map((entry) => describe(entry, body.includeSynonyms, body.includeDocumentation));
      return { ...NO_ERROR, resourceType, resourceName, configs };
    };
    // A resource named twice is answered once: clients keep the answers by resource.
    const asked = await distinctEach(request, body.resources, ({ resourceType, resourceName }) => `${resourceType} ${resourceName}`);
    const isWanted = await encodeEach(request, response, asked, resultOf, ({ configs }) => 2 * configs.length);
    request.respond(isWanted ? response.finish(request.correlationId, { throttleTimeMs: 0 }) : []);
  };
}

function entriesOf({ catalog, dynamic }: DescribeConfigsParts, { resourceType, resourceName }: Asked): ConfigEntry[] | ElementError {
  const broker = dynamic.current;
  switch (resourceType) {
    case ResourceType.topic: {
      const problem = topicNameProblem(resourceName);
      if (problem !== undefined) return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, errorMessage: problem };
      const topic = catalog.topicByName(resourceName);
      if (topic !== undefined) return describeTopicConfigs(topic.configs, broker);
      return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: `There is no topic "${resourceName}".` };
    }
    case ResourceType.broker:
      // Defaults of all brokers: only settings that were set there are listed.
      return resourceName === ''
        ? describeClusterConfigs(broker)
        : (brokerIdProblem(broker, resourceName) ?? describeBrokerConfigs(broker));
    case ResourceType.brokerLogger:
      return brokerIdProblem(broker, resourceName) ?? describeLogger(dynamic.logLevel);
    case ResourceType.clientMetrics:
      return resourceName === '' ? invalidRequest('Client metrics subscription name must not be empty.') : describeClientMetricsConfigs();
    case ResourceType.group:
      return resourceName === '' ? invalidRequest('Group name must not be empty.') : describeGroupConfigs();
    default:
      return invalidRequest(`Unknown resource type ${resourceType}.`);
  }
}

function describe(entry: ConfigEntry, withSynonyms: boolean, withDocumentation: boolean): Answer['configs'][number] {
  return {
    name: entry.name,
    value: entry.value,
    readOnly: entry.readOnly,
    configSource: entry.source,
    isSensitive: entry.sensitive,
    synonyms: withSynonyms ? [...entry.synonyms] : [],
    configType: entry.type,
    documentation: withDocumentation ? entry.doc : null,
  };
}
