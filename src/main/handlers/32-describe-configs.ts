/** DescribeConfigs of topics and of this broker. */
import type { TopicCatalog } from '../../cluster/topic-catalog.ts';
import { topicNameProblem } from '../../cluster/topic-rules.ts';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { describeBrokerConfigs, describeTopicConfigs, type ConfigEntry } from '../../config/describe.ts';
import { describeConfigs } from '../../protocol/apis/32-describe-configs.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import { invalidRequest, NO_ERROR, ResourceType, type ElementError } from './admin.ts';

type Asked = RequestOf<typeof describeConfigs>['resources'][number];
type Answer = ResponseInput<typeof describeConfigs>['results'][number];

export interface DescribeConfigsParts {
  readonly catalog: TopicCatalog;
  readonly broker: BrokerConfig;
}

/** See the file header. */
export function describeConfigsHandler(parts: DescribeConfigsParts): Handler {
  return (request) => {
    const body = decodeRequest(describeConfigs, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const results = body.resources.map((resource): Answer => {
      const found = entriesOf(parts, resource);
      const entries = Array.isArray(found) ? found : [];
      const error = Array.isArray(found) ? NO_ERROR : found;
      const configs = entries
        .filter(({ name }) => isAskedFor(resource, name))
        .map((entry) => describe(entry, body.includeSynonyms, body.includeDocumentation));
      return { ...error, resourceType: resource.resourceType, resourceName: resource.resourceName, configs };
    });
    request.respond([encodeResponseFrame(describeConfigs, request.apiVersion, request.correlationId, { throttleTimeMs: 0, results })]);
  };
}

function entriesOf({ catalog, broker }: DescribeConfigsParts, { resourceType, resourceName }: Asked): ConfigEntry[] | ElementError {
  if (resourceType === ResourceType.topic) {
    const problem = topicNameProblem(resourceName);
    if (problem !== undefined) return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, errorMessage: problem };
    const topic = catalog.topicByName(resourceName);
    if (topic !== undefined) return describeTopicConfigs(topic.configs, broker);
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: `There is no topic "${resourceName}".` };
  }
  if (resourceType === ResourceType.broker) {
    if (resourceName === String(broker.nodeId)) return describeBrokerConfigs(broker);
    // Cluster-wide defaults: only settings that were set there are listed, and nobody can set any.
    return resourceName === '' ? [] : invalidRequest(`Unexpected broker id "${resourceName}"; this is broker ${broker.nodeId}.`);
  }
  return invalidRequest(`Resource type ${resourceType} has no settings here.`);
}

function isAskedFor({ configurationKeys }: Asked, name: string): boolean {
  return configurationKeys === null || configurationKeys.length === 0 || configurationKeys.includes(name);
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
