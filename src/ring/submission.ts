/**
 * What main tells a shard. One slot is 8 words:
 *
 *   word 0  kind            append | control
 *   word 1  position        first byte of the record batch in the receive slab
 *   word 2  length          bytes of the record batch
 *   word 3  request         main's request slot, returned untouched in the completion
 *   word 4  tag             main's index of the partition within the request, returned untouched
 *   word 5  handle          partition handle; unique for the life of the process, so a late slot for a deleted topic finds nothing
 *   word 6  flags           see SubmissionFlag
 *   word 7  unused
 *
 * A control slot carries only its kind: its payload is the next message of the control port (see control.ts).
 */
import type { RingProducer } from './ring.ts';

export const SUBMISSION_WORDS = 8;

export const SubmissionKind = { append: 1, control: 2 } as const;

/** Bits of word 6. */
export const SubmissionFlag = {
  /** Log-append time was already stamped by the leader: keep offsets and epoch as they are (replication; not used by clients). */
  givenOffsets: 1,
} as const;

export const Submission = { kind: 0, position: 1, length: 2, request: 3, tag: 4, handle: 5, flags: 6 } as const;

/** Writes one append slot. The caller made sure of room with `producer.free`, and publishes when its whole request is submitted. */
export function offerAppend(
  producer: RingProducer,
  position: number,
  length: number,
  request: number,
  tag: number,
  handle: number,
  flags: number,
): void {
  const at = producer.claim();
  const words = producer.words;
  words[at + Submission.kind] = SubmissionKind.append;
  words[at + Submission.position] = position;
  words[at + Submission.length] = length;
  words[at + Submission.request] = request;
  words[at + Submission.tag] = tag;
  words[at + Submission.handle] = handle;
  words[at + Submission.flags] = flags;
}
