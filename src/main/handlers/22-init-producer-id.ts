/**
 * InitProducerId: an id for an idempotent producer, with epoch 0. Whoever has an id and asks again (after an error it cannot resolve) gets another one, as in
 * Kafka. Transactional ids are refused with an error that clients take as final.
 */
import { MetadataStoreError } from '../../cluster/metadata-store.ts';
import { initProducerId } from '../../protocol/apis/22-init-producer-id.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import { encodeResponseFrame } from '../../protocol/frame.ts';
import type { ResponseInput } from '../../protocol/schema.ts';
import type { Handler } from '../requests.ts';

/** See the file header. `onProblem`: no id can be given out. */
export function initProducerIdHandler(ids: { take(): Promise<number> }, onProblem: (text: string, error: unknown) => void): Handler {
  return async (request) => {
    const { transactionalId } = decodeRequest(initProducerId, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    const respond = (answer: Pick<ResponseInput<typeof initProducerId>, 'errorCode' | 'producerId' | 'producerEpoch'>): void =>
      request.respond([encodeResponseFrame(initProducerId, request.apiVersion, request.correlationId, { throttleTimeMs: 0, ...answer })]);
    const refuse = (errorCode: number): void => respond({ errorCode, producerId: -1n, producerEpoch: -1 });
    if (transactionalId !== null) return refuse(transactionalId === '' ? ErrorCode.INVALID_REQUEST : ErrorCode.UNSUPPORTED_VERSION);
    try {
      respond({ errorCode: ErrorCode.NONE, producerId: BigInt(await ids.take()), producerEpoch: 0 });
    } catch (error) {
      if (!(error instanceof MetadataStoreError)) throw error;
      onProblem('no producer id can be given out', error);
      // Clients try again.
      refuse(ErrorCode.COORDINATOR_NOT_AVAILABLE);
    }
  };
}
