// One line that says where the run is: a bar on a terminal, plain lines otherwise.
const tty = process.stderr.isTTY;

export class Progress {
  #done = 0;
  #total;
  #started = performance.now();
  constructor(total) {
    this.#total = total;
  }
  step(label) {
    const minutes = ((performance.now() - this.#started) / 60_000).toFixed(1);
    if (!tty) return void process.stderr.write(`[${this.#done + 1}/${this.#total}] ${label}\n`);
    const filled = Math.round((20 * this.#done) / this.#total);
    const bar = '#'.repeat(filled) + '.'.repeat(20 - filled);
    process.stderr.write(`\r\x1b[K${bar} ${this.#done + 1}/${this.#total} ${minutes} min  ${label}`);
  }
  done() {
    this.#done = Math.min(this.#done + 1, this.#total);
  }
  /** Makes room for other output. */
  clear() {
    if (tty) process.stderr.write('\r\x1b[K');
  }
}
