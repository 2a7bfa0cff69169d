/** What a client of the coordinator is told when a record could not be appended, as in Kafka: errors of partitions mean nothing to it. */
import { ErrorCode } from '../protocol/errors.ts';

/** The code for JoinGroup, SyncGroup and everything else but commits. */
export function groupErrorOf(appendError: number): number {
  switch (appendError) {
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode.NOT_ENOUGH_REPLICAS:
    case ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case ErrorCode.REQUEST_TIMED_OUT:
      return ErrorCode.COORDINATOR_NOT_AVAILABLE;
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
    case ErrorCode.KAFKA_STORAGE_ERROR:
      return ErrorCode.NOT_COORDINATOR;
    case ErrorCode.MESSAGE_TOO_LARGE:
    case ErrorCode.RECORD_LIST_TOO_LARGE:
      return ErrorCode.UNKNOWN_SERVER_ERROR;
    default:
      return appendError;
  }
}

/** The code for commits: one that is too large shall not be tried again. */
export function commitErrorOf(appendError: number): number {
  const tooLarge = appendError === ErrorCode.MESSAGE_TOO_LARGE || appendError === ErrorCode.RECORD_LIST_TOO_LARGE;
  return tooLarge ? ErrorCode.INVALID_COMMIT_OFFSET_SIZE : groupErrorOf(appendError);
}
