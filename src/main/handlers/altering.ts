/** What AlterConfigs and IncrementalAlterConfigs share: whose settings can be changed while the broker runs, and what is said of the others. */
import type { SettingsScope } from '../../cluster/broker-settings.ts';
import { topicNameProblem } from '../../cluster/topic-rules.ts';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { DynamicConfig } from '../dynamic-config.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { brokerIdProblem, distinct, duplicates, invalidRequest, ResourceType, type ElementError } from './admin.ts';
import type { Request } from '../requests.ts';
import { changeEach } from './paced.ts';

/** What names a resource in both requests. */
export interface Resource {
  readonly resourceType: number;
  readonly resourceName: string;
}

/** What both handlers are given to work with. */
export interface AlteringParts {
  readonly lifecycle: TopicLifecycle;
  readonly dynamic: DynamicConfig;
}

/** How a resource of each kind is changed, once its name is known to be right (a topic may still not exist). */
export interface Alterations<R> {
  readonly topic: (asked: R) => Promise<ElementError>;
  readonly broker: (asked: R) => Promise<ElementError>;
  readonly logger: (asked: R) => Promise<ElementError>;
}

/** A broker without a name stands for all of them. */
export function scopeOf({ resourceName }: Resource): SettingsScope {
  return resourceName === '' ? 'cluster' : 'broker';
}

/** Changes each of the resources; the answers, one for each. A resource named twice is refused, and answered once: the answer is a map. */
export function alterEach<R extends Resource>(
  request: Request,
  broker: BrokerConfig,
  resources: readonly R[],
  alterations: Alterations<R>,
): Promise<(ElementError & Resource)[]> {
  const keyOf = ({ resourceType, resourceName }: Resource): string => `${resourceType}/${resourceName}`;
  const twice = duplicates(resources.map(keyOf));
  return changeEach(request, distinct(resources, keyOf), async (resource) => {
    const { resourceType, resourceName } = resource;
    const refusal = twice.has(keyOf(resource)) ? invalidRequest('Each resource must appear at most once.') : refusalOf(broker, resource);
    return { ...(refusal ?? (await alterationOf(alterations, resource)(resource))), resourceType, resourceName };
  });
}

function alterationOf<R extends Resource>(
  { topic, broker, logger }: Alterations<R>,
  { resourceType }: R,
): (asked: R) => Promise<ElementError> {
  return resourceType === ResourceType.topic ? topic : resourceType === ResourceType.broker ? broker : logger;
}

/** Why the settings of a resource cannot be changed, or null for a topic (which may not exist), a broker and its logger. */
function refusalOf(broker: BrokerConfig, { resourceType, resourceName }: Resource): ElementError | null {
  switch (resourceType) {
    case ResourceType.topic: {
      if (resourceName === '')
        return invalidRequest('Settings for all topics at once are settings of the broker, such as log.retention.ms: change those.');
      const problem = topicNameProblem(resourceName);
      return problem === undefined ? null : { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, errorMessage: problem };
    }
    case ResourceType.broker:
      return resourceName === '' ? null : brokerIdProblem(broker, resourceName);
    case ResourceType.brokerLogger:
      return brokerIdProblem(broker, resourceName);
    case ResourceType.clientMetrics:
      return invalidRequest('There are no subscriptions to client metrics here.');
    case ResourceType.group:
      return invalidRequest('There are no groups here yet, and so no settings of groups.');
    default:
      return invalidRequest(`Unknown resource type ${resourceType}.`);
  }
}
