/**
 * FindCoordinator: this broker coordinates every group. The first one to ask makes the topic that groups live in. There are no transactions, and who asks for their
 * coordinator is refused in the way that is final for the clients of that version; see `transactionAnswer`.
 */
import type { BrokerConfig } from '../../config/broker-config.ts';
import { findCoordinator } from '../../protocol/apis/10-find-coordinator.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode, protocolError } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';
import { distinctEach, respondEach } from './paced.ts';
import { advertisedAddress } from './topology.ts';

/** CoordinatorType of the protocol. */
const CoordinatorType = { group: 0, transaction: 1 } as const;
/** From this version on one request asks for many. */
const KEYS_VERSION = 4;
/** The highest version that librdkafka and kafkajs ask in. */
const LIBRDKAFKA_VERSION = 2;
const NO_TRANSACTIONS = 'This broker does not serve transactions: use the producer without a transactional id.';

/** See the file header. */
export function findCoordinatorHandler(coordinator: Pick<GroupCoordinator, 'ensure'>, broker: BrokerConfig): Handler {
  return async (request) => {
    const { apiVersion, correlationId, connection } = request;
    const { keyType, coordinatorKeys } = decodeRequest(findCoordinator, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const errorCode = keyType === CoordinatorType.transaction ? transactionAnswer(apiVersion) : await findFor(coordinator, keyType);
    const isFound = errorCode === ErrorCode.NONE;
    const address = isFound ? advertisedAddress(broker, connection) : { host: '', port: -1 };
    const found = {
      errorCode,
      errorMessage: isFound ? null : messageOf(keyType, errorCode),
      nodeId: isFound ? broker.nodeId : -1,
      ...address,
    };
    if (apiVersion < KEYS_VERSION)
      return request.respond([encodeResponseFrame(findCoordinator, apiVersion, correlationId, { throttleTimeMs: 0, ...found })]);
    const keys = await distinctEach(request, coordinatorKeys, (each) => each);
    const coordinators = keys.map((each) => ({ key: each, ...found }));
    return respondEach(request, findCoordinator, 'coordinators', coordinators, { throttleTimeMs: 0 });
  };
}

/** What to tell whoever asks for the coordinator of anything but a transaction. */
async function findFor(coordinator: Pick<GroupCoordinator, 'ensure'>, keyType: number): Promise<number> {
  return keyType === CoordinatorType.group ? coordinator.ensure() : ErrorCode.INVALID_REQUEST;
}

/**
 * Every client has to give up at once, and to say why. In the versions of librdkafka only a failed authorization is final, and anything else is asked again until the
 * client's time is up; later versions (Java, franz-go) take UNSUPPORTED_VERSION as final. librdkafka and Java show the text that goes with it.
 */
function transactionAnswer(apiVersion: number): number {
  return apiVersion <= LIBRDKAFKA_VERSION ? ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED : ErrorCode.UNSUPPORTED_VERSION;
}

function messageOf(keyType: number, errorCode: number): string {
  if (keyType === CoordinatorType.group) return `${protocolError(errorCode).message}.`;
  return keyType === CoordinatorType.transaction ? NO_TRANSACTIONS : `There is no coordinator of type ${keyType}.`;
}
