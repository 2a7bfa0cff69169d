/** The tags by which answers to Produce and Fetch tell clients where the leader is. */

import { uvarintBytes, type ByteWriter } from './byte-writer.ts';

/** A broker as clients reach it. */
export interface NodeEndpoint {
  readonly nodeId: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

/** Data of a CurrentLeader tag: leaderId, leaderEpoch, empty tag section. */
const LEADER_BYTES = 9;

function compactStringBytes(value: string | null): number {
  const length = value === null ? 0 : Buffer.byteLength(value);
  return uvarintBytes(length + 1) + length;
}

function endpointsDataBytes(endpoints: readonly NodeEndpoint[]): number {
  let bytes = uvarintBytes(endpoints.length + 1);
  for (const { host, rack } of endpoints) bytes += 4 + compactStringBytes(host) + 4 + compactStringBytes(rack) + 1;
  return bytes;
}

/** Bytes of a tag section that holds nothing but CurrentLeader (tag number below 128). */
export function leaderSectionBytes(): number {
  return 3 + LEADER_BYTES;
}

/** Writes a tag section that holds nothing but CurrentLeader under `tag`. */
export function writeLeaderSection(writer: ByteWriter, tag: number, leaderId: number, leaderEpoch: number): void {
  writer.uvarint(1);
  writer.uvarint(tag);
  writer.uvarint(LEADER_BYTES);
  writer.int32(leaderId);
  writer.int32(leaderEpoch);
  writer.uvarint(0);
}

/** Bytes of a tag section that holds nothing but NodeEndpoints; 1 if there are none. */
export function endpointsSectionBytes(endpoints: readonly NodeEndpoint[]): number {
  if (endpoints.length === 0) return 1;
  const data = endpointsDataBytes(endpoints);
  return 2 + uvarintBytes(data) + data;
}

/** Writes a tag section that holds nothing but NodeEndpoints, as tag 0; an empty section if there are none. */
export function writeEndpointsSection(writer: ByteWriter, endpoints: readonly NodeEndpoint[]): void {
  if (endpoints.length === 0) return writer.uvarint(0);
  writer.uvarint(1);
  writer.uvarint(0);
  writer.uvarint(endpointsDataBytes(endpoints));
  writer.uvarint(endpoints.length + 1);
  for (const { nodeId, host, port, rack } of endpoints) {
    writer.int32(nodeId);
    writer.string(host, Buffer.byteLength(host), true);
    writer.int32(port);
    writer.string(rack, rack === null ? 0 : Buffer.byteLength(rack), true);
    writer.uvarint(0);
  }
}
