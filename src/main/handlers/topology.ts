/** What several answers say alike of brokers, topics and partitions. */
import type { BrokerConfig } from '../../config/broker-config.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { PartitionView } from '../partition-view.ts';
import type { RequestConnection } from '../requests.ts';

/** Nobody may do less than everything while there are no ACLs: one bit per operation that applies. */
export const TOPIC_OPERATIONS = 0b1101_1111_1000;
export const CLUSTER_OPERATIONS = 0b1_1111_1010_0000;
export const OPERATIONS_NOT_ASKED_FOR = -2147483648;

/** Where a client that came in on `connection` is told to find this broker. */
export function advertisedAddress(broker: BrokerConfig, connection: RequestConnection): { host: string; port: number } {
  if (broker.advertised !== undefined) return broker.advertised;
  // An IPv4 client of an IPv6 socket wants to see its own kind of address.
  return { host: connection.localAddress.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, ''), port: connection.localPort };
}

/** Where a partition is, and who leads it. */
export interface PartitionPlacement {
  readonly errorCode: number;
  readonly partitionIndex: number;
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly replicaNodes: readonly number[];
  readonly isrNodes: readonly number[];
  readonly offlineReplicas: readonly number[];
}

/** See {@link PartitionPlacement}; `nodeId` is this broker. */
export function placementOf(view: PartitionView, nodeId: number): PartitionPlacement {
  const isOffline = view.state === 'offline' || view.state === 'opening';
  return {
    errorCode: isOffline ? ErrorCode.LEADER_NOT_AVAILABLE : ErrorCode.NONE,
    partitionIndex: view.partition,
    leaderId: isOffline ? -1 : nodeId,
    leaderEpoch: view.leaderEpoch,
    replicaNodes: [nodeId],
    isrNodes: isOffline ? [] : [nodeId],
    offlineReplicas: isOffline ? [nodeId] : [],
  };
}
