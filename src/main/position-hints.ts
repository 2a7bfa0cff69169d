/**
 * Where readers of a partition will go on: offset → position, so that tailing and sequential readers need neither index nor search. A small table,
 * overwritten in a circle; it starts with nothing and doubles while it is too small for the number of readers, up to a maximum.
 *
 * Always: a remembered offset lies in the batch at the remembered position of the segment that holds the offset; the batch's base offset is remembered too.
 */

const HINTS_FIRST = 4;
const HINTS_MAX = 64;

/** See the file header. */
export class PositionHints {
  private offsets: Float64Array | null = null;
  private positions: Float64Array | null = null;
  private bases: Float64Array | null = null;
  private next = 0;
  private missed = 0;

  /** Entry for `offset`, to ask {@link position} and {@link base}; −1 when not remembered. */
  find(offset: number): number {
    const offsets = this.offsets;
    if (offsets === null) return -1;
    for (let i = 0; i < offsets.length; i++) if (offsets[i] === offset) return i;
    this.missed++;
    return -1;
  }

  /** Position of the batch of entry `i`. */
  position(i: number): number {
    return (this.positions as Float64Array)[i] as number;
  }

  /** Base offset of the batch of entry `i`. */
  base(i: number): number {
    return (this.bases as Float64Array)[i] as number;
  }

  /** Remembers that `offset` lies in the batch at `position`, whose base offset is `base`. */
  remember(offset: number, position: number, base: number): void {
    let offsets = this.offsets;
    if (offsets === null) offsets = this.resize(HINTS_FIRST);
    for (let i = 0; i < offsets.length; i++) {
      if (offsets[i] !== offset) continue;
      (this.positions as Float64Array)[i] = position;
      (this.bases as Float64Array)[i] = base;
      return;
    }
    // As many misses as entries since the last growth: more readers than places.
    if (this.missed > offsets.length && offsets.length < HINTS_MAX) offsets = this.resize(offsets.length * 2);
    offsets[this.next] = offset;
    (this.positions as Float64Array)[this.next] = position;
    (this.bases as Float64Array)[this.next] = base;
    this.next = (this.next + 1) % offsets.length;
  }

  /** Forgets everything: the log was cut. */
  clear(): void {
    this.offsets = null;
    this.positions = null;
    this.bases = null;
    this.next = 0;
    this.missed = 0;
  }

  private resize(size: number): Float64Array {
    const offsets = new Float64Array(size).fill(-1);
    const positions = new Float64Array(size);
    const bases = new Float64Array(size);
    if (this.offsets !== null) {
      offsets.set(this.offsets);
      positions.set(this.positions as Float64Array);
      bases.set(this.bases as Float64Array);
      this.next = this.offsets.length;
    }
    this.offsets = offsets;
    this.positions = positions;
    this.bases = bases;
    this.missed = 0;
    return offsets;
  }
}
