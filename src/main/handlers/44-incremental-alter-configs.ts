/** IncrementalAlterConfigs of topics; a change of `ringlog.durability` moves the topic's partitions before it is answered. */
import { topicNameProblem, type ConfigChange } from '../../cluster/topic-rules.ts';
import { incrementalAlterConfigs } from '../../protocol/apis/44-incremental-alter-configs.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { PartedResponse } from '../../protocol/parted-response.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { attempt, distinct, duplicates, errorOf, invalidRequest, NO_ERROR, ResourceType, type ElementError } from './admin.ts';
import { changeEach, encodeEach } from './paced.ts';

type Asked = RequestOf<typeof incrementalAlterConfigs>['resources'][number];
type Answer = ResponseInput<typeof incrementalAlterConfigs>['responses'][number];

/** By ConfigOperation of the protocol. */
const OPERATIONS: readonly ConfigChange['operation'][] = ['set', 'delete', 'append', 'subtract'];

/** See the file header. */
export function incrementalAlterConfigsHandler(lifecycle: TopicLifecycle): Handler {
  return async (request) => {
    const body = decodeRequest(incrementalAlterConfigs, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const twice = duplicates(body.resources.map(keyOf));
    // A resource named twice is answered once: the answer is a map.
    const answers = await changeEach(distinct(body.resources, keyOf), async (resource): Promise<Answer> => {
      const { resourceType, resourceName } = resource;
      const error = twice.has(keyOf(resource))
        ? invalidRequest('Each resource must appear at most once.')
        : await alterOne(lifecycle, resource, body.validateOnly);
      return { ...error, resourceType, resourceName };
    });
    const response = new PartedResponse(incrementalAlterConfigs, request.apiVersion, 'responses');
    const isWanted = await encodeEach(
      request,
      response,
      answers,
      (answer) => answer,
      () => 1,
    );
    request.respond(isWanted ? response.finish(request.correlationId, { throttleTimeMs: 0 }) : []);
  };
}

function keyOf({ resourceType, resourceName }: Asked): string {
  return `${resourceType}/${resourceName}`;
}

async function alterOne(lifecycle: TopicLifecycle, asked: Asked, validateOnly: boolean): Promise<ElementError> {
  if (asked.resourceType === ResourceType.broker) {
    return {
      errorCode: ErrorCode.INVALID_REQUEST,
      errorMessage: 'Settings of the broker cannot be changed while it runs: set them in its configuration and restart it.',
    };
  }
  if (asked.resourceType !== ResourceType.topic) return invalidRequest(`Resource type ${asked.resourceType} has no settings here.`);
  if (asked.resourceName === '')
    return invalidRequest('Settings for all topics at once are settings of the broker: set them in its configuration and restart it.');
  const problem = topicNameProblem(asked.resourceName);
  if (problem !== undefined) return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, errorMessage: problem };
  const changes: ConfigChange[] = [];
  for (const { name, configOperation, value } of asked.configs) {
    const operation = OPERATIONS[configOperation];
    if (operation === undefined) return invalidRequest(`Unknown operation ${configOperation} for ${name}.`);
    if (value === null && operation !== 'delete') return invalidRequest(`A null value is not allowed for ${name}.`);
    changes.push({ name, operation, value });
  }
  const result = await attempt(() => lifecycle.alterTopicConfigs(asked.resourceName, changes, { validateOnly }));
  return result.ok ? NO_ERROR : errorOf(result);
}
