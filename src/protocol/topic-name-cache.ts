/**
 * Finds the number of a topic by the bytes of its name (or of its 16-byte id) where they lie in a request: no string is made.
 *
 * Open addressing with linear probing; at most half of the slots are taken. Names are copied in. Keys are chosen by whoever
 * may create topics, so collisions cannot be forced by a mere producer.
 */

import { assert } from '../lib/assert.ts';

const SLOTS_INITIAL = 64;
/** Longest legal topic name, in bytes. */
const NAME_BYTES_MAX = 249;

/** FNV-1a, 32 bits. */
function hashOf(buffer: Uint8Array, position: number, length: number): number {
  let hash = 0x811c9dc5;
  for (let at = position; at < position + length; at++) hash = Math.imul(hash ^ buffer[at]!, 0x01000193);
  return hash;
}

function emptySlots(count: number): (Uint8Array | undefined)[] {
  return Array.from({ length: count }, () => undefined);
}

function isSame(name: Uint8Array, buffer: Uint8Array, position: number, length: number): boolean {
  if (name.length !== length) return false;
  for (let index = 0; index < length; index++) if (name[index] !== buffer[position + index]) return false;
  return true;
}

/** A map from name bytes to a number that the caller chose. */
export class TopicNameCache {
  private readonly entriesMax: number;
  private entryCount = 0;
  /** Power of two, at least 2 * entryCount. */
  private slotCount = SLOTS_INITIAL;
  private names: (Uint8Array | undefined)[] = emptySlots(SLOTS_INITIAL);
  private hashes = new Int32Array(SLOTS_INITIAL);
  private numbers = new Int32Array(SLOTS_INITIAL);

  /** @param entriesMax most names to hold; more is a bug of the caller, who limits topics */
  constructor(entriesMax = 1 << 20) {
    this.entriesMax = entriesMax;
  }

  get size(): number {
    return this.entryCount;
  }

  /** Registers `name`, or changes its number. @param number what {@link find} shall return, 0 or more */
  set(name: string | Uint8Array, number: number): void {
    const bytes = typeof name === 'string' ? Buffer.from(name) : Uint8Array.prototype.slice.call(name);
    assert(number >= 0 && bytes.length > 0 && bytes.length <= NAME_BYTES_MAX, 'a number from 0 on and a legal name');
    const hash = hashOf(bytes, 0, bytes.length);
    const slot = this.slotOf(hash, bytes, 0, bytes.length);
    if (this.names[slot] !== undefined) {
      this.numbers[slot] = number;
      return;
    }
    assert(this.entryCount < this.entriesMax, `no more than ${this.entriesMax} names`);
    this.names[slot] = bytes;
    this.hashes[slot] = hash;
    this.numbers[slot] = number;
    if (++this.entryCount * 2 > this.slotCount) this.rebuild(this.slotCount * 2);
  }

  /** Forgets `name`; returns whether it was there. Rebuilds the table, because deletion is rare and lookup is not. */
  delete(name: string | Uint8Array): boolean {
    const bytes = typeof name === 'string' ? Buffer.from(name) : name;
    const slot = this.slotOf(hashOf(bytes, 0, bytes.length), bytes, 0, bytes.length);
    if (this.names[slot] === undefined) return false;
    this.names[slot] = undefined;
    this.entryCount--;
    this.rebuild(this.slotCount);
    return true;
  }

  /** The number registered for the name in buffer[position, position + length), or -1. */
  find(buffer: Uint8Array, position: number, length: number): number {
    if (length > NAME_BYTES_MAX) return -1;
    const slot = this.slotOf(hashOf(buffer, position, length), buffer, position, length);
    return this.names[slot] === undefined ? -1 : this.numbers[slot]!;
  }

  /** The slot that holds the name, or the free one where it would go. */
  private slotOf(hash: number, buffer: Uint8Array, position: number, length: number): number {
    const mask = this.slotCount - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const name = this.names[slot];
      if (name === undefined) return slot;
      if (this.hashes[slot] === hash && isSame(name, buffer, position, length)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  private rebuild(slotCount: number): void {
    const { names, hashes, numbers } = this;
    this.slotCount = slotCount;
    this.names = emptySlots(slotCount);
    this.hashes = new Int32Array(slotCount);
    this.numbers = new Int32Array(slotCount);
    for (const [index, name] of names.entries()) {
      if (name === undefined) continue;
      const slot = this.slotOf(hashes[index]!, name, 0, name.length);
      this.names[slot] = name;
      this.hashes[slot] = hashes[index]!;
      this.numbers[slot] = numbers[index]!;
    }
  }
}
