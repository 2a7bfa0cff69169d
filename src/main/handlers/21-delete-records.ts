/**
 * DeleteRecords: moves the start of logs up; answered per partition once that is durable, whatever the topic's durability. The request's timeout is not
 * looked at: as in Kafka with one replica, there is nobody else to wait for.
 */
import { deleteRecords } from '../../protocol/apis/21-delete-records.ts';
import { decodeRequest } from '../../protocol/codec.ts';
import { ErrorCode } from '../../protocol/errors.ts';
import type { ResponseInput } from '../../protocol/schema.ts';
import { judgeLeader } from '../fetch-judge.ts';
import type { Handler } from '../requests.ts';
import type { Router, Topic } from '../router.ts';
import type { TopicLifecycle } from '../topic-lifecycle.ts';
import { changeEach, respondEach } from './paced.ts';

type Answer = ResponseInput<typeof deleteRecords>['topics'][number]['partitions'][number];

/** Stands for the high watermark in a request. */
const HIGH_WATERMARK = -1n;
const EPOCH_UNKNOWN = -1;

interface Parts {
  readonly router: Router;
  readonly lifecycle: Pick<TopicLifecycle, 'setLogStart'>;
}

/** See the file header. */
export function deleteRecordsHandler(parts: Parts): Handler {
  return async (request) => {
    const body = decodeRequest(deleteRecords, request.apiVersion, request.bytes, request.bodyStart, request.bodyEnd);
    // The answer is a map: of what is named twice, the last counts.
    const asked = new Map<string, Map<number, bigint>>();
    for (const { name, partitions } of body.topics) {
      const offsets = asked.get(name) ?? new Map<number, bigint>();
      for (const { partitionIndex, offset } of partitions) offsets.set(partitionIndex, offset);
      asked.set(name, offsets);
    }
    const wanted = [...asked].flatMap(([name, offsets]) => Array.from(offsets, ([index, offset]) => ({ name, index, offset })));
    const answers = await changeEach(request, wanted, ({ name, index, offset }) =>
      deleteIn(parts, parts.router.topicByName(name), index, offset),
    );
    let next = 0;
    const topics = Array.from(asked, ([name, offsets]) => ({ name, partitions: answers.slice(next, (next += offsets.size)) }));
    return respondEach(request, deleteRecords, 'topics', topics, { throttleTimeMs: 0 }, ({ partitions }) => partitions.length);
  };
}

async function deleteIn({ lifecycle }: Parts, topic: Topic | undefined, partitionIndex: number, offset: bigint): Promise<Answer> {
  const failed = (errorCode: number): Answer => ({ partitionIndex, lowWatermark: -1n, errorCode });
  const view = topic?.partitions[partitionIndex];
  const error = judgeLeader(topic, view, EPOCH_UNKNOWN, false);
  if (error !== ErrorCode.NONE || topic === undefined || view === undefined) return failed(error);
  if (!topic.config.cleanupDelete) return failed(ErrorCode.POLICY_VIOLATION);
  const before = offset === HIGH_WATERMARK ? view.highWatermark : Number(offset);
  if (before < 0 || before > view.highWatermark) return failed(ErrorCode.OFFSET_OUT_OF_RANGE);
  const moved = await lifecycle.setLogStart(view, before);
  if (moved.error === null) return { partitionIndex, lowWatermark: BigInt(moved.logStartOffset), errorCode: ErrorCode.NONE };
  return failed(topic.deleted ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.KAFKA_STORAGE_ERROR);
}
