/** What all groups of a broker may hold together. Loading may go beyond it (what is stored is the truth); then nothing new is taken in until there is room. */
import { assert } from '../lib/assert.ts';

/** What an empty group, a member and an offset cost beside their texts and bytes: objects and table entries, rounded up. */
export const GROUP_BYTES = 1024;
export const MEMBER_BYTES = 1024;
export const OFFSET_BYTES = 256;
/** Of an id that was given out and whose member has not joined yet. */
export const PENDING_MEMBER_BYTES = 256;

/** What is counted over all shares. */
interface Total {
  readonly bytesMax: number;
  bytes: number;
}

/** See the file header. Each partition has a share: a count of its own of one and the same total. */
export class GroupBudget {
  /** What is held through this share. */
  bytes = 0;
  private readonly total: Total;

  constructor(limit: number | GroupBudget) {
    this.total = typeof limit === 'number' ? { bytesMax: limit, bytes: 0 } : limit.total;
  }

  /** What all shares hold together. */
  get totalBytes(): number {
    return this.total.bytes;
  }

  hasRoom(bytes: number): boolean {
    return this.total.bytes + bytes <= this.total.bytesMax;
  }

  /** Counts `bytes` more; negative: less. */
  add(bytes: number): void {
    this.bytes += bytes;
    this.total.bytes += bytes;
    assert(this.bytes >= 0, 'what groups hold is counted right');
  }

  /** Whoever counted through this share is gone, with all it held. */
  discard(): void {
    this.add(-this.bytes);
  }
}
