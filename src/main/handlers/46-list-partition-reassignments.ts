/** ListPartitionReassignments: none. With a single broker nothing can be on its way to another one; tools ask all the same. */
import { listPartitionReassignments } from '../../protocol/apis/46-list-partition-reassignments.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { Request } from '../requests.ts';

/** See the file header. */
export function handleListPartitionReassignments(request: Request): void {
  const { apiVersion, correlationId } = request;
  decodeRequest(listPartitionReassignments, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
  const answer = { throttleTimeMs: 0, errorCode: ErrorCode.NONE, errorMessage: null, topics: [] };
  request.respond([encodeResponseFrame(listPartitionReassignments, apiVersion, correlationId, answer)]);
}
