/** What AlterConfigs and IncrementalAlterConfigs share: only the settings of topics can be changed while the broker runs. */
import { topicNameProblem } from '../../cluster/topic-rules.ts';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { brokerIdProblem, distinct, duplicates, invalidRequest, ResourceType, type ElementError } from './admin.ts';
import type { Request } from '../requests.ts';
import { changeEach } from './paced.ts';

/** What names a resource in both requests. */
export interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
}

/** Changes each of the resources; the answers, one for each. A resource named twice is refused, and answered once: the answer is a map. */
export function alterEach<R extends Resource>(
  request: Request,
  broker: BrokerConfig,
  resources: readonly R[],
  alter: (topic: R) => Promise<ElementError>,
): Promise<(ElementError & Resource)[]> {
  const keyOf = ({ resourceType, resourceName }: Resource): string => `${resourceType}/${resourceName}`;
  const twice = duplicates(resources.map(keyOf));
  return changeEach(request, distinct(resources, keyOf), async (resource) => {
    const { resourceType, resourceName } = resource;
    const refusal = twice.has(keyOf(resource)) ? invalidRequest('Each resource must appear at most once.') : refusalOf(broker, resource);
    return { ...(refusal ?? (await alter(resource))), resourceType, resourceName };
  });
}

/** Why the settings of a resource cannot be changed, or null for a topic (which may not exist). */
function refusalOf(broker: BrokerConfig, { resourceType, resourceName }: Resource): ElementError | null {
  switch (resourceType) {
    case ResourceType.topic: {
      if (resourceName === '')
        return invalidRequest('Settings for all topics at once are settings of the broker: set them in its configuration and restart it.');
      const problem = topicNameProblem(resourceName);
      return problem === undefined ? null : { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, errorMessage: problem };
    }
    case ResourceType.broker:
      return (
        (resourceName === '' ? null : brokerIdProblem(broker, resourceName)) ??
        invalidRequest('Settings of the broker cannot be changed while it runs: set them in its configuration and restart it.')
      );
    case ResourceType.brokerLogger:
      return (
        brokerIdProblem(broker, resourceName) ??
        invalidRequest('The log level cannot be changed while the broker runs: set ringlog.log.level in its configuration and restart it.')
      );
    case ResourceType.clientMetrics:
      return invalidRequest('There are no subscriptions to client metrics here.');
    case ResourceType.group:
      return invalidRequest('There are no groups here yet, and so no settings of groups.');
    default:
      return invalidRequest(`Unknown resource type ${resourceType}.`);
  }
}
