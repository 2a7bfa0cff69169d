/** What all groups of a broker may hold together. Loading may go beyond it (what is stored is the truth); then nothing new is taken in until there is room. */
import { assert } from '../lib/assert.ts';

/** What an empty group, a member and an offset cost beside their texts and bytes: objects and table entries, rounded up. */
export const GROUP_BYTES = 1024;
export const MEMBER_BYTES = 1024;
export const OFFSET_BYTES = 256;
/** Of an id that was given out and whose member has not joined yet. */
export const PENDING_MEMBER_BYTES = 256;

/** See the file header. */
export class GroupBudget {
  readonly bytesMax: number;
  bytes = 0;

  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  hasRoom(bytes: number): boolean {
    return this.bytes + bytes <= this.bytesMax;
  }

  /** Counts `bytes` more; negative: less. */
  add(bytes: number): void {
    this.bytes += bytes;
    assert(this.bytes >= 0, 'what groups hold is counted right');
  }
}
