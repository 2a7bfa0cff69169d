/** DescribeCluster: this broker, which is all there is. Controllers have no endpoint of their own here. */
import type { BrokerConfig } from '../../config/broker-config.ts';
import { describeCluster } from '../../protocol/apis/60-describe-cluster.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { RequestOf, ResponseInput } from '../../protocol/schema.ts';
import type { Handler, RequestConnection } from '../requests.ts';
import { advertisedAddress, CLUSTER_OPERATIONS, OPERATIONS_NOT_ASKED_FOR } from './topology.ts';

type Answer = ResponseInput<typeof describeCluster>;

/** EndpointType of the protocol. */
const EndpointType = { broker: 1, controller: 2 } as const;

export interface DescribeClusterParts {
  readonly broker: BrokerConfig;
  readonly clusterId: string;
}

/** See the file header. */
export function describeClusterHandler(parts: DescribeClusterParts): Handler {
  return (request) => {
    const body = decodeRequest(describeCluster, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const answer = body.endpointType === EndpointType.broker ? describe(parts, body, request.connection) : refusal(body.endpointType);
    request.respond([encodeResponseFrame(describeCluster, request.apiVersion, request.correlationId, { throttleTimeMs: 0, ...answer })]);
  };
}

type Said = Omit<Answer, 'throttleTimeMs'>;

function describe(
  { broker, clusterId }: DescribeClusterParts,
  asked: RequestOf<typeof describeCluster>,
  connection: RequestConnection,
): Said {
  const { host, port } = advertisedAddress(broker, connection);
  return {
    errorCode: ErrorCode.NONE,
    clusterId,
    controllerId: broker.nodeId,
    brokers: [{ brokerId: broker.nodeId, host, port, rack: null }],
    clusterAuthorizedOperations: asked.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : OPERATIONS_NOT_ASKED_FOR,
  };
}

function refusal(endpointType: number): Said {
  const isController = endpointType === EndpointType.controller;
  return {
    errorCode: isController ? ErrorCode.MISMATCHED_ENDPOINT_TYPE : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
    errorMessage: isController
      ? 'The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER.'
      : `Unsupported endpoint type ${endpointType}: it must be ${EndpointType.broker} (brokers).`,
    clusterId: '',
    brokers: [],
  };
}
