/**
 * AlterConfigs of topics and of the broker, the older way: the settings given are all that the resource has afterwards, whatever it had before. Otherwise like
 * IncrementalAlterConfigs.
 */
import { alterConfigs } from '../../protocol/apis/33-alter-configs.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import type { RequestOf } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import { attempt, errorOf, invalidRequest, NO_ERROR, type ElementError } from './admin.ts';
import { alterEach, scopeOf, type AlteringParts } from './altering.ts';
import { respondEach } from './paced.ts';

type Asked = RequestOf<typeof alterConfigs>['resources'][number];

/** See the file header. */
export function alterConfigsHandler(parts: AlteringParts): Handler {
  return async (request) => {
    const body = decodeRequest(alterConfigs, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const answers = await alterEach(request, parts.dynamic.current, body.resources, {
      topic: (asked) => replaceTopic(parts, asked, body.validateOnly),
      broker: (asked) => replaceBroker(parts, asked, body.validateOnly),
      logger: async () => invalidRequest('The level of a logger is changed by IncrementalAlterConfigs.'),
    });
    return respondEach(request, alterConfigs, 'responses', answers, { throttleTimeMs: 0 });
  };
}

async function replaceTopic({ lifecycle }: AlteringParts, asked: Asked, validateOnly: boolean): Promise<ElementError> {
  const given = givenBy(asked);
  if (!(given instanceof Map)) return given;
  const result = await attempt(() => lifecycle.replaceTopicConfigs(asked.resourceName, Object.fromEntries(given), { validateOnly }));
  return result.ok ? NO_ERROR : errorOf(result);
}

async function replaceBroker({ dynamic }: AlteringParts, asked: Asked, validateOnly: boolean): Promise<ElementError> {
  const given = givenBy(asked);
  if (!(given instanceof Map)) return given;
  const result = await attempt(() => dynamic.replace(scopeOf(asked), Object.fromEntries(given), validateOnly));
  return result.ok ? NO_ERROR : errorOf(result);
}

/** The settings of a resource by name, or what is wrong with them. */
function givenBy({ configs }: Asked): Map<string, string> | ElementError {
  const given = new Map<string, string>();
  for (const { name, value } of configs) {
    if (value === null) return invalidRequest(`A null value is not allowed for ${name}.`);
    if (given.has(name)) return invalidRequest(`The setting ${name} is given twice.`);
    given.set(name, value);
  }
  return given;
}
