/** The batches of one duty cycle as flat, preallocated arrays: no object per batch. Batches of one partition are linked in arrival order. */

/** In the place of the next batch: this one was refused before it was staged. */
export const NEVER_STAGED = -2;

/** See the file header. Entries 0 … count − 1 are valid until {@link clear}. */
export class Group {
  readonly capacity: number;
  count = 0;
  bytes = 0;
  readonly request: Int32Array;
  readonly tag: Int32Array;
  /** Place of the batch in the receive slab. */
  readonly slabAt: Int32Array;
  readonly length: Int32Array;
  readonly handle: Int32Array;
  /** See SubmissionFlag. */
  readonly flags: Int32Array;
  readonly leaderEpoch: Int32Array;
  readonly errorCode: Int32Array;
  readonly baseOffset: Float64Array;
  readonly lastOffsetDelta: Int32Array;
  /** Place of the batch in its segment. */
  readonly position: Float64Array;
  readonly maxTimestamp: Float64Array;
  readonly logAppendTime: Float64Array;
  /** Of a batch refused with INVALID_RECORD: index of its first bad record, or −1. Of any other it means nothing. */
  readonly badRecord: Int32Array;
  /** Next batch of the same partition in this group, or −1. */
  readonly next: Int32Array;
  /** Place of the batch in the journal group's payload; means nothing of one that does not go inline. */
  readonly payloadAt: Int32Array;
  /** What goes into the journal beside the entries: the bytes of one partition after the other, in pieces that its segment has got already. */
  readonly payload: Uint8Array[] = [];
  payloadBytes = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.request = new Int32Array(capacity);
    this.tag = new Int32Array(capacity);
    this.slabAt = new Int32Array(capacity);
    this.length = new Int32Array(capacity);
    this.handle = new Int32Array(capacity);
    this.flags = new Int32Array(capacity);
    this.leaderEpoch = new Int32Array(capacity);
    this.errorCode = new Int32Array(capacity);
    this.baseOffset = new Float64Array(capacity);
    this.lastOffsetDelta = new Int32Array(capacity);
    this.position = new Float64Array(capacity);
    this.maxTimestamp = new Float64Array(capacity);
    this.logAppendTime = new Float64Array(capacity);
    this.badRecord = new Int32Array(capacity);
    this.next = new Int32Array(capacity);
    this.payloadAt = new Int32Array(capacity);
  }

  clear(): void {
    this.count = 0;
    this.bytes = 0;
    this.payload.length = 0;
    this.payloadBytes = 0;
  }

  /** The bytes of a partition's batches, whose first is `first`, in as few views of the `slab` as can be; says of each where the payload has it if they go inline. */
  piecesOf(first: number, slab: Buffer): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    // Batches that follow each other in the slab become one piece.
    let runStart = -1;
    let runEnd = -1;
    let payloadAt = this.payloadBytes;
    for (let i = first; i >= 0; i = this.next[i] as number) {
      const at = this.slabAt[i] as number;
      if (at !== runEnd) {
        if (runStart >= 0) pieces.push(slab.subarray(runStart, runEnd));
        runStart = runEnd = at;
      }
      const length = this.length[i] as number;
      runEnd += length;
      this.payloadAt[i] = payloadAt;
      payloadAt += length;
    }
    pieces.push(slab.subarray(runStart, runEnd));
    return pieces;
  }

  /** The `pieces` of a partition, `bytes` together, follow in the payload: its batches have their places in it. */
  addPayload(pieces: readonly Uint8Array[], bytes: number): void {
    for (const piece of pieces) this.payload.push(piece);
    this.payloadBytes += bytes;
  }

  /** Whether there is more than `bytesMax` and it is of this partition: of its last batch, with which the group passed its limit. Without that one there is less. */
  isPassedWith(handle: number, bytesMax: number): boolean {
    return this.bytes > bytesMax && this.handle[this.count - 1] === handle;
  }

  /** Adds a batch as it was submitted; the caller stages or refuses it. */
  add(request: number, tag: number, slabAt: number, length: number, handle: number, flags: number): number {
    const i = this.count++;
    this.request[i] = request;
    this.tag[i] = tag;
    this.slabAt[i] = slabAt;
    this.length[i] = length;
    this.handle[i] = handle;
    this.flags[i] = flags;
    this.errorCode[i] = 0;
    this.next[i] = -1;
    this.bytes += length;
    return i;
  }

  /** Batch `i` is refused and not staged. `badRecord`: see there. */
  refuse(i: number, badRecord: number): void {
    this.next[i] = NEVER_STAGED;
    this.badRecord[i] = badRecord;
  }
}
