/** What the administrative handlers share: they turn refusals of catalog and store into the protocol's errors. */
import { MetadataStoreError } from '../../cluster/metadata-store.ts';
import type { CatalogRefusal, CatalogResult } from '../../cluster/topic-rules.ts';
import type { BrokerConfig } from '../../config/broker-config.ts';
import { shown } from '../../config/definition.ts';
import { ErrorCode } from '../../protocol/errors.ts';

/** ConfigResourceType of the protocol. */
export const ResourceType = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const;

/** Partitions that one request may make; Kafka has the same limit. */
export const PARTITIONS_AT_ONCE_MAX = 10_000;

/** An error of one element of a request; code 0 stands for success. */
export interface ElementError {
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

export const NO_ERROR: ElementError = { errorCode: ErrorCode.NONE, errorMessage: null };

/** The protocol's form of a refusal. */
export function errorOf(refusal: CatalogRefusal): ElementError {
  return { errorCode: ErrorCode[refusal.error], errorMessage: refusal.message };
}

export function invalidRequest(errorMessage: string): ElementError {
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage };
}

/** What is wrong with `id` as the number of this broker, or null. */
export function brokerIdProblem({ nodeId }: Pick<BrokerConfig, 'nodeId'>, id: string): ElementError | null {
  if (id === String(nodeId)) return null;
  if (!/^[+-]?[0-9]{1,10}$/.test(id)) return invalidRequest(`Broker id must be an integer, but it is: "${shown(id)}".`);
  return invalidRequest(`Unexpected broker id, expected ${nodeId}, but received ${id}.`);
}

/** Runs a change of metadata; a store that fails is a storage error of this element, not the end of the request. */
export async function attempt<T>(run: () => Promise<CatalogResult<T>>): Promise<CatalogResult<T>> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof MetadataStoreError)) throw error;
    return { ok: false, error: 'KAFKA_STORAGE_ERROR', message: error.message };
  }
}

/** Values that occur more than once. */
export function duplicates<T>(values: Iterable<T>): Set<T> {
  const seen = new Set<T>();
  const twice = new Set<T>();
  for (const value of values) (seen.has(value) ? twice : seen).add(value);
  return twice;
}

/** The first of those items that have the same key. */
export function distinct<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const key = keyOf(item);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
