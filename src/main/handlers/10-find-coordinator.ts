/**
 * FindCoordinator: this broker coordinates every group. The first one to ask makes the topic that groups live in. Whoever asks for a transaction is sent here, too,
 * and told by InitProducerId that there are none: that is final for every client, while some would ask for a coordinator again and again.
 */
import type { BrokerConfig } from '../../config/broker-config.ts';
import { findCoordinator } from '../../protocol/apis/10-find-coordinator.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode, protocolError } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';
import { advertisedAddress } from './topology.ts';

/** CoordinatorType of the protocol. */
const CoordinatorType = { group: 0, transaction: 1 } as const;
/** From this version on one request asks for many. */
const KEYS_VERSION = 4;

/** See the file header. */
export function findCoordinatorHandler(coordinator: Pick<GroupCoordinator, 'ensure'>, broker: BrokerConfig): Handler {
  return async (request) => {
    const { apiVersion, correlationId, connection } = request;
    const { key, keyType, coordinatorKeys } = decodeRequest(findCoordinator, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const errorCode = await findFor(coordinator, keyType);
    const isFound = errorCode === ErrorCode.NONE;
    const address = isFound ? advertisedAddress(broker, connection) : { host: '', port: -1 };
    const found = {
      errorCode,
      errorMessage: isFound ? null : messageOf(keyType, errorCode),
      nodeId: isFound ? broker.nodeId : -1,
      ...address,
    };
    const coordinators = apiVersion >= KEYS_VERSION ? coordinatorKeys.map((each) => ({ key: each, ...found })) : [{ key, ...found }];
    const answer = apiVersion >= KEYS_VERSION ? { throttleTimeMs: 0, coordinators } : { throttleTimeMs: 0, ...found };
    request.respond([encodeResponseFrame(findCoordinator, apiVersion, correlationId, answer)]);
  };
}

/** What to tell whoever asks for a coordinator of this type. */
async function findFor(coordinator: Pick<GroupCoordinator, 'ensure'>, keyType: number): Promise<number> {
  if (keyType === CoordinatorType.group) return coordinator.ensure();
  return keyType === CoordinatorType.transaction ? ErrorCode.NONE : ErrorCode.INVALID_REQUEST;
}

function messageOf(keyType: number, errorCode: number): string {
  if (keyType === CoordinatorType.group) return `${protocolError(errorCode).message}.`;
  return `There is no coordinator of type ${keyType}.`;
}
