/**
 * AlterConfigs of topics, the older way: the settings given are all that the topic has afterwards, whatever it had before. Otherwise like
 * IncrementalAlterConfigs.
 */
import type { BrokerConfig } from '../../config/broker-config.ts';
import { alterConfigs } from '../../protocol/apis/33-alter-configs.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import type { RequestOf } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { attempt, errorOf, invalidRequest, NO_ERROR, type ElementError } from './admin.ts';
import { alterEach } from './altering.ts';
import { respondEach } from './paced.ts';

type Asked = RequestOf<typeof alterConfigs>['resources'][number];

/** See the file header. */
export function alterConfigsHandler(lifecycle: TopicLifecycle, broker: BrokerConfig): Handler {
  return async (request) => {
    const body = decodeRequest(alterConfigs, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const answers = await alterEach(request, broker, body.resources, (topic) => replaceOne(lifecycle, topic, body.validateOnly));
    return respondEach(request, alterConfigs, 'responses', answers, { throttleTimeMs: 0 });
  };
}

async function replaceOne(lifecycle: TopicLifecycle, asked: Asked, validateOnly: boolean): Promise<ElementError> {
  const configs = new Map<string, string>();
  for (const { name, value } of asked.configs) {
    if (value === null) return invalidRequest(`A null value is not allowed for ${name}.`);
    if (configs.has(name)) return invalidRequest(`The setting ${name} is given twice.`);
    configs.set(name, value);
  }
  const result = await attempt(() => lifecycle.replaceTopicConfigs(asked.resourceName, Object.fromEntries(configs), { validateOnly }));
  return result.ok ? NO_ERROR : errorOf(result);
}
