/**
 * The last offset of each key, in a bounded piece of memory: open addressing over slots of 24 bytes, none of which is ever freed.
 *
 *   slot = 0 f64 offset + 1 (0: empty) · 8 4 × u32 identity of the key
 *
 * The identity of a key of up to 15 bytes is the key itself and its length, so short keys never collide. Longer ones go by their MD5, as in Kafka: two keys that
 * share it would count as one, and the older record would go. By accident that does not happen; who makes such keys on purpose harms only topics that he writes to.
 */
import { createHash } from 'node:crypto';

const SLOT_BYTES = 24;
/** Slots that are used at most: probing gets long beyond. */
const LOAD_MAX = 0.9;
const SHORT_KEY_BYTES_MAX = 15;
const SLOTS_MIN = 16;

/** How many keys `bytes` of memory hold. */
export function keysIn(bytes: number): number {
  return Math.floor(Math.max(SLOTS_MIN, Math.floor(bytes / SLOT_BYTES)) * LOAD_MAX);
}

/** See the file header. */
export class KeyMap {
  /** Keys in it. */
  count = 0;
  private readonly slots: number;
  private readonly countMax: number;
  private readonly words: Uint32Array;
  private readonly offsets: Float64Array;
  private readonly identity = Buffer.alloc(16);
  private readonly id = new Uint32Array(this.identity.buffer, this.identity.byteOffset, 4);

  /** @param bytesMax memory for it @param keysMax more will never be put in */
  constructor(bytesMax: number, keysMax: number) {
    this.slots = Math.max(SLOTS_MIN, Math.min(Math.floor(bytesMax / SLOT_BYTES), Math.ceil(keysMax / LOAD_MAX) + 1));
    this.countMax = Math.floor(this.slots * LOAD_MAX);
    // Untouched pages of it cost nothing.
    const memory = new ArrayBuffer(this.slots * SLOT_BYTES);
    this.words = new Uint32Array(memory);
    this.offsets = new Float64Array(memory);
  }

  /** Whether it takes `keys` more, whichever they are. */
  hasRoom(keys: number): boolean {
    return this.count + keys <= this.countMax;
  }

  /** Sets the offset of the key bytes[start, start + length). Returns the one before, or −1. The caller has asked for room. */
  put(bytes: Buffer, start: number, length: number, offset: number): number {
    const at = this.find(bytes, start, length) * 3;
    const before = (this.offsets[at] as number) - 1;
    this.offsets[at] = offset + 1;
    if (before >= 0) return before;
    this.count++;
    this.words.set(this.id, at * 2 + 2);
    return -1;
  }

  /** Offset of a key, or −1. */
  get(bytes: Buffer, start: number, length: number): number {
    return (this.offsets[this.find(bytes, start, length) * 3] as number) - 1;
  }

  /** The slot that has the key, or the empty one that would take it. */
  private find(bytes: Buffer, start: number, length: number): number {
    this.identify(bytes, start, length);
    const { words, offsets, slots } = this;
    const a = this.id[0] as number;
    const b = this.id[1] as number;
    const c = this.id[2] as number;
    const d = this.id[3] as number;
    let hash = Math.imul(a ^ Math.imul(b, 0x85ebca6b), 0x9e3779b1) ^ Math.imul(c ^ Math.imul(d, 0xc2b2ae35), 0x27d4eb2f);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
    let slot = Math.floor((((hash ^ (hash >>> 16)) >>> 0) / 4294967296) * slots);
    for (;;) {
      if (offsets[slot * 3] === 0) return slot;
      const at = slot * 6 + 2;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return slot;
      if (++slot === slots) slot = 0;
    }
  }

  private identify(bytes: Buffer, start: number, length: number): void {
    const { identity } = this;
    if (length > SHORT_KEY_BYTES_MAX) {
      createHash('md5')
        .update(bytes.subarray(start, start + length))
        .digest()
        .copy(identity);
      return;
    }
    for (let i = 0; i < length; i++) identity[i] = bytes[start + i] as number;
    identity.fill(0, length, SHORT_KEY_BYTES_MAX);
    identity[SHORT_KEY_BYTES_MAX] = length;
  }
}
