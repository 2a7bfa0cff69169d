/** IncrementalAlterConfigs of topics; a change of `ringlog.durability` moves the topic's partitions before it is answered. */
import type { ConfigChange } from '../../cluster/topic-rules.ts';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { incrementalAlterConfigs } from '../../protocol/apis/44-incremental-alter-configs.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import type { RequestOf } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { attempt, errorOf, invalidRequest, NO_ERROR, type ElementError } from './admin.ts';
import { alterEach } from './altering.ts';
import { respondEach } from './paced.ts';

type Asked = RequestOf<typeof incrementalAlterConfigs>['resources'][number];

/** By ConfigOperation of the protocol. */
const OPERATIONS: readonly ConfigChange['operation'][] = ['set', 'delete', 'append', 'subtract'];

/** See the file header. */
export function incrementalAlterConfigsHandler(lifecycle: TopicLifecycle, broker: BrokerConfig): Handler {
  return async (request) => {
    const body = decodeRequest(incrementalAlterConfigs, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const answers = await alterEach(request, broker, body.resources, (topic) => alterOne(lifecycle, topic, body.validateOnly));
    return respondEach(request, incrementalAlterConfigs, 'responses', answers, { throttleTimeMs: 0 });
  };
}

async function alterOne(lifecycle: TopicLifecycle, asked: Asked, validateOnly: boolean): Promise<ElementError> {
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
