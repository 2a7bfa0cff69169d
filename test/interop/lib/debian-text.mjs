/**
 * A lot of real text: the lines of all text files that the Debian packages installed here own, in the order of their paths, again from the start when they are used up.
 * Taken are valid UTF-8 files without NUL and without CR (Kafka's console producer ends lines at a CR, too); left out are empty lines and those above 100 KB.
 * A machine with few packages has little of it and repeats it more often; `apt-get install linux-source gcc-doc python3-doc r-doc-html` gives more.
 */

import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const DPKG_LISTS = '/var/lib/dpkg/info';
const LINE_BYTES_MAX = 100 * 1024;
const FILE_BYTES_MAX = 64 * 1024 * 1024;
const LF = 10;
const CR = 13;

export const hasDebianText = () => existsSync(DPKG_LISTS);

function packagedFiles() {
  const paths = new Set();
  for (const name of readdirSync(DPKG_LISTS)) {
    if (!name.endsWith('.list')) continue;
    for (const path of readFileSync(join(DPKG_LISTS, name), 'utf8').split('\n')) if (path !== '') paths.add(path);
  }
  return [...paths].sort((a, b) => (a < b ? -1 : 1));
}

/** The usable lines of a file as one piece, null if there are none. */
function linesOf(path) {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile() || stat.size === 0 || stat.size > FILE_BYTES_MAX) return null;
  const bytes = readFileSync(path);
  if (bytes.includes(0) || bytes.includes(CR) || !isUtf8(bytes)) return null;
  const pieces = [];
  for (let start = 0; start < bytes.length;) {
    const lf = bytes.indexOf(LF, start);
    if (lf === -1) break; // not ended by LF
    if (lf > start && lf - start <= LINE_BYTES_MAX) pieces.push(bytes.subarray(start, lf + 1));
    start = lf + 1;
  }
  return pieces.length === 0 ? null : { bytes: Buffer.concat(pieces), lines: pieces.length };
}

/** Writes `count` files of about `bytesTotal / count` each into `folder`. */
export function writeDebianText({ folder, bytesTotal, count }) {
  const paths = packagedFiles();
  const files = [];
  let next = 0;
  let sources = 0;
  for (let index = 0; index < count; index++) {
    const path = join(folder, `text-${index}`);
    const file = openSync(path, 'w');
    const hash = createHash('sha256');
    let bytes = 0;
    let lines = 0;
    while (bytes < bytesTotal / count) {
      const piece = linesOf(paths[next % paths.length]);
      next += 1;
      if (next === paths.length && sources === 0 && piece === null) throw new Error('no package here owns a text file');
      if (piece === null) continue;
      sources += 1;
      for (let written = 0; written < piece.bytes.length;) written += writeSync(file, piece.bytes, written);
      hash.update(piece.bytes);
      bytes += piece.bytes.length;
      lines += piece.lines;
    }
    closeSync(file);
    files.push({ path, bytes, lines, sha256: hash.digest('hex') });
  }
  return { files, sources, rounds: next / paths.length };
}
