/** Heartbeat: a member is alive, and is told whether it has to join again. */
import { heartbeat } from '../../protocol/apis/12-heartbeat.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { GroupCoordinator } from '../group-coordinator.ts';
import type { Handler } from '../requests.ts';

/** See the file header. */
export function heartbeatHandler(coordinator: Pick<GroupCoordinator, 'heartbeat'>): Handler {
  return (request) => {
    const { apiVersion, correlationId } = request;
    const body = decodeRequest(heartbeat, apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    request.respond([
      encodeResponseFrame(heartbeat, apiVersion, correlationId, { throttleTimeMs: 0, errorCode: coordinator.heartbeat(body) }),
    ]);
  };
}
