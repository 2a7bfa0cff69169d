/** The level of the broker's log as Kafka's resource BROKER_LOGGER: one logger, `root`. A change lasts until the broker ends, as in Kafka. */
import type { ConfigChange } from '../../cluster/topic-rules.ts';
import { shown } from '../../config/definition.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { invalidRequest, NO_ERROR, type ElementError } from './admin.ts';

const LEVELS: readonly string[] = ['FATAL', 'ERROR', 'WARN', 'INFO', 'DEBUG', 'TRACE'];

/** Sets the level by {@link ConfigChange}s, all or none. `set` takes a value of ringlog.log.level. */
export function alterLogger(changes: readonly ConfigChange[], set: (level: string) => void, validateOnly: boolean): ElementError {
  let level: string | undefined;
  for (const { name, operation, value } of changes) {
    if (name !== 'root') return invalidConfig(`There is no logger "${shown(name)}" here; the one there is is "root".`);
    if (operation === 'delete') return invalidRequest('The root logger has no level to fall back to: set the one that is wanted.');
    if (operation !== 'set') return invalidRequest(`${operation} is for lists, and the level of a logger is none.`);
    if (value === null || !LEVELS.includes(value))
      return invalidConfig(`Invalid level "${shown(value ?? '')}" for root: it must be one of ${LEVELS.join(', ')}.`);
    level = value.toLowerCase();
  }
  if (level !== undefined && !validateOnly) set(level);
  return NO_ERROR;
}

function invalidConfig(errorMessage: string): ElementError {
  return { errorCode: ErrorCode.INVALID_CONFIG, errorMessage };
}
