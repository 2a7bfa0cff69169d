/** What is wrong with fetching from a partition, before anything is read. */
import { ErrorCode } from '../protocol/errors.ts';
import type { PartitionView } from './partition-view.ts';
import type { Topic } from './router.ts';

/** Error of a request that names `view` of `topic` with a leader epoch (−1: not told); NONE when the partition may be read. */
export function judgeLeader(topic: Topic | undefined, view: PartitionView | undefined, leaderEpoch: number, byId: boolean): number {
  if (topic === undefined || topic.deleted) return byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  if (view === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
  // Retriable, after a refresh of metadata.
  if (view.state === 'opening') return ErrorCode.NOT_LEADER_OR_FOLLOWER;
  if (view.state === 'offline') return ErrorCode.KAFKA_STORAGE_ERROR;
  if (leaderEpoch !== -1 && leaderEpoch < view.leaderEpoch) return ErrorCode.FENCED_LEADER_EPOCH;
  if (leaderEpoch > view.leaderEpoch) return ErrorCode.UNKNOWN_LEADER_EPOCH;
  return ErrorCode.NONE;
}

/**
 * Error of fetching `offset`; NONE when the partition may be read, even if there is nothing (yet).
 *
 * A refused range answers CORRUPT_MESSAGE and not KAFKA_STORAGE_ERROR: on the latter the Java client and librdkafka refresh metadata and ask again,
 * silently and for ever, while CORRUPT_MESSAGE reaches the application (Java: an exception of `poll` that names partition and offset; librdkafka: a
 * consumer error), which can seek past the range.
 */
export function judgePartition(
  topic: Topic | undefined,
  view: PartitionView | undefined,
  offset: number,
  leaderEpoch: number,
  byId: boolean,
): number {
  const error = judgeLeader(topic, view, leaderEpoch, byId);
  if (error !== ErrorCode.NONE || view === undefined) return error;
  if (offset < view.logStartOffset || offset > view.highWatermark) return ErrorCode.OFFSET_OUT_OF_RANGE;
  if (offset >= view.unsecuredFrom && offset < view.highWatermark) return ErrorCode.KAFKA_STORAGE_ERROR;
  if (view.damage.has(offset)) return ErrorCode.CORRUPT_MESSAGE;
  return ErrorCode.NONE;
}
