/** A set of offsets within a range, one bit for each. */
export class OffsetSet {
  private readonly from: number;
  private readonly bits: Uint32Array;

  /** For offsets [from, to). */
  constructor(from: number, to: number) {
    this.from = from;
    this.bits = new Uint32Array(Math.ceil((to - from) / 32));
  }

  add(offset: number): void {
    const at = offset - this.from;
    const word = Math.floor(at / 32);
    this.bits[word] = (this.bits[word] as number) | (1 << (at % 32));
  }

  has(offset: number): boolean {
    const at = offset - this.from;
    return at >= 0 && ((this.bits[Math.floor(at / 32)] ?? 0) & (1 << (at % 32))) !== 0;
  }

  /** Whether any offset of [first, last] is in it. */
  hasAny(first: number, last: number): boolean {
    let at = first - this.from;
    const end = last - this.from;
    while (at <= end) {
      const word = this.bits[Math.floor(at / 32)] ?? 0;
      const inWord = at % 32;
      if (word === 0) at += 32 - inWord;
      else if ((word & (1 << inWord)) !== 0) return true;
      else at++;
    }
    return false;
  }
}
