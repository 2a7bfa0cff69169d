/**
 * IncrementalAlterConfigs of topics, of the broker and of its logger; a change of `ringlog.durability` moves the partitions that it is about before it is
 * answered.
 */
import type { CatalogResult, ConfigChange } from '../../cluster/topic-rules.ts';
import { incrementalAlterConfigs } from '../../protocol/apis/44-incremental-alter-configs.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import type { RequestOf } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import { attempt, errorOf, invalidRequest, NO_ERROR, type ElementError } from './admin.ts';
import { alterEach, scopeOf, type AlteringParts } from './altering.ts';
import { alterLogger } from './broker-logger.ts';
import { respondEach } from './paced.ts';

type Asked = RequestOf<typeof incrementalAlterConfigs>['resources'][number];

/** By ConfigOperation of the protocol. */
const OPERATIONS: readonly ConfigChange['operation'][] = ['set', 'delete', 'append', 'subtract'];

/** See the file header. */
export function incrementalAlterConfigsHandler({ lifecycle, dynamic }: AlteringParts): Handler {
  return async (request) => {
    const body = decodeRequest(incrementalAlterConfigs, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const answers = await alterEach(request, dynamic.current, body.resources, {
      topic: (asked) => alterOne(asked, (changes) => lifecycle.alterTopicConfigs(asked.resourceName, changes, body)),
      broker: (asked) => alterOne(asked, (changes) => dynamic.alter(scopeOf(asked), changes, body.validateOnly)),
      logger: async (asked) => {
        const changes = changesOf(asked);
        return Array.isArray(changes) ? alterLogger(changes, (level) => dynamic.setLogLevel(level), body.validateOnly) : changes;
      },
    });
    return respondEach(request, incrementalAlterConfigs, 'responses', answers, { throttleTimeMs: 0 });
  };
}

async function alterOne(asked: Asked, alter: (changes: ConfigChange[]) => Promise<CatalogResult<unknown>>): Promise<ElementError> {
  const changes = changesOf(asked);
  if (!Array.isArray(changes)) return changes;
  const result = await attempt(() => alter(changes));
  return result.ok ? NO_ERROR : errorOf(result);
}

/** The changes of a resource, or what is wrong with them. */
function changesOf({ configs }: Asked): ConfigChange[] | ElementError {
  const changes: ConfigChange[] = [];
  for (const { name, configOperation, value } of configs) {
    const operation = OPERATIONS[configOperation];
    if (operation === undefined) return invalidRequest(`Unknown operation ${configOperation} for ${name}.`);
    if (value === null && operation !== 'delete') return invalidRequest(`A null value is not allowed for ${name}.`);
    changes.push({ name, operation, value });
  }
  return changes;
}
