/** ListConfigResources: what has settings, by kind. Version 0 only asked for subscriptions to client metrics, of which there are none. */
import type { BrokerConfig } from '../../config/broker-config.ts';
import { listConfigResources } from '../../protocol/apis/74-list-config-resources.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { PartedResponse } from '../../protocol/parted-response.ts';
import type { ResponseInput } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';
import type { Router } from '../router.ts';
import { ResourceType } from './admin.ts';
import { encodeEach } from './paced.ts';

type Answer = ResponseInput<typeof listConfigResources>['configResources'][number];

const KINDS: ReadonlySet<number> = new Set(Object.values(ResourceType));

/** See the file header. */
export function listConfigResourcesHandler(router: Router, { nodeId }: BrokerConfig): Handler {
  return async (request) => {
    const { apiVersion, correlationId } = request;
    const body = decodeRequest(listConfigResources, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const kinds = apiVersion === 0 ? [ResourceType.clientMetrics] : body.resourceTypes;
    const response = new PartedResponse(listConfigResources, apiVersion, 'configResources');
    const isKnown = kinds.every((kind) => KINDS.has(kind));
    const isAsked = (kind: number): boolean => isKnown && (kinds.length === 0 || kinds.includes(kind));
    const brokers = [ResourceType.broker, ResourceType.brokerLogger].filter(isAsked);
    response.add(brokers.map((resourceType) => ({ resourceName: String(nodeId), resourceType })));
    const topics = isAsked(ResourceType.topic) ? [...router.topics()] : [];
    const describe = ({ name }: (typeof topics)[number]): Answer => ({ resourceName: name, resourceType: ResourceType.topic });
    const isWanted = await encodeEach(request, response, topics, describe, () => 1);
    const errorCode = isKnown ? ErrorCode.NONE : ErrorCode.UNSUPPORTED_VERSION;
    return request.respond(isWanted ? response.finish(correlationId, { throttleTimeMs: 0, errorCode }) : []);
  };
}
