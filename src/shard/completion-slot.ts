/** What a shard tells main of one batch: the words of a completion slot. */
import { ErrorCode } from '../protocol/errors.ts';
import { Completion, CompletionKind, setLong } from '../ring/completion.ts';
import type { Group } from './group.ts';

/** Fills the slot at `at` with what became of batch `i`. Returns the error code that its producer gets. */
export function writeCompletion(words: Int32Array, at: number, group: Group, i: number, flags: number): number {
  words[at + Completion.kind] = CompletionKind.append;
  words[at + Completion.request] = group.request[i] as number;
  words[at + Completion.tag] = group.tag[i] as number;
  // A batch that was there already is a success with its first offset, as in Kafka; readers have it.
  const isDuplicate = group.errorCode[i] === ErrorCode.DUPLICATE_SEQUENCE_NUMBER;
  const errorCode = isDuplicate ? ErrorCode.NONE : (group.errorCode[i] as number);
  words[at + Completion.errorCode] = errorCode;
  words[at + Completion.handle] = group.handle[i] as number;
  words[at + Completion.flags] = flags;
  if (errorCode !== ErrorCode.NONE) {
    words[at + Completion.badRecord] = group.badRecord[i] as number;
    return errorCode;
  }
  setLong(words, at + Completion.baseOffset, group.baseOffset[i] as number);
  words[at + Completion.lastOffsetDelta] = group.lastOffsetDelta[i] as number;
  words[at + Completion.position] = group.position[i] as number;
  words[at + Completion.length] = group.length[i] as number;
  words[at + Completion.leaderEpoch] = group.leaderEpoch[i] as number;
  setLong(words, at + Completion.maxTimestamp, group.maxTimestamp[i] as number);
  setLong(words, at + Completion.logAppendTime, group.logAppendTime[i] as number);
  return errorCode;
}
