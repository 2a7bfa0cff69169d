/**
 * Looks at an lmdb database file before lmdb does. lmdb maps the file and trusts it: a truncated or damaged one ends the process with a
 * signal instead of an error. So every page that can be reached is checked here first for what lmdb takes for granted. The layout is that
 * of lmdb's data format 2 as lmdb-js writes it.
 *
 *   page   0 u64 number · 8 u64 transaction · 16 u16 pad · 18 u16 flags · 20 u16 lower · 22 u16 upper
 *          24 … u16 positions of its nodes, like lower and upper relative to the end of this head
 *          (an overflow page has at 20 a u32 instead: how many pages it spans)
 *   meta   24 u32 magic · 28 u32 version · 32 u64 address · 40 u64 map size · 48 free-list tree · 96 main tree
 *          144 u64 last page · 152 u64 transaction
 *   tree   0 u32 pad (free-list tree: page size) · 4 u16 flags · 6 u16 depth · 8 u64 branch · 16 u64 leaf
 *          24 u64 overflow · 32 u64 entries · 40 u64 root
 *   node   0 u16 low · 2 u16 high · 4 u16 flags · 6 u16 key size · 8 … key, then the value or, with the big-data flag,
 *          the u64 of its overflow page;  in a leaf, value size = low | high << 16
 *          in a branch, child = low | high << 16 | flags << 32
 */

import { closeSync, existsSync, fstatSync, fsyncSync, mkdirSync, openSync, readSync, statSync, unlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MetadataCorruptError } from './metadata-store.ts';

const DATA_FILE = 'data.mdb';
const PAGE_HEAD_BYTES = 24;
const META_MAGIC = 0xbeefc0de;
const META_VERSION = 2;
const META_BYTES = 160;
const FREE_TREE = 48;
const MAIN_TREE = 96;
const LAST_PAGE = 144;
const TRANSACTION = 152;
const TREE_DEPTH_MAX = 32;
const NO_ROOT = 0xffff_ffff_ffff_ffffn;
const FLAG_BRANCH = 0x01;
const FLAG_LEAF = 0x02;
const FLAG_OVERFLOW = 0x04;
const FLAG_META = 0x08;
const NODE_BIG_DATA = 0x01;
const NODE_HEAD_BYTES = 8;

/** Whether the folder holds a database file. */
export function lmdbFileExists(folder: string): boolean {
  return existsSync(join(folder, DATA_FILE));
}

/** A database begins with two pages that say where the rest is; no page is smaller. */
const SMALLEST_DATABASE_BYTES = 2 * 4096;

/** Removes a file that never was a database: whoever made it was stopped before its first two pages, and it holds nothing. */
export function removeUnmadeLmdbFile(folder: string): void {
  const path = join(folder, DATA_FILE);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found !== undefined && found.size < SMALLEST_DATABASE_BYTES) unlinkSync(path);
}

/** Makes the folder and everything in it findable after a crash: the names of file and folder are synced. */
export function makeStoreFolder(folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const path of [folder, dirname(folder)]) {
    const descriptor = openSync(path, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
  }
}

/** Throws {@link MetadataCorruptError} unless every reachable page of the database in `folder` is sound. */
export function checkLmdbFile(folder: string): void {
  const path = join(folder, DATA_FILE);
  const file = openSync(path, 'r');
  try {
    const wrong = new LmdbFile(file, fstatSync(file).size).check();
    if (wrong !== undefined) {
      throw new MetadataCorruptError(`${path} is not a sound metadata database (${wrong}). Restore it from a backup; nothing was changed`);
    }
  } finally {
    closeSync(file);
  }
}

/** A reason to give up reading; never leaves this file. */
class Unsound extends Error {}

class LmdbFile {
  readonly #file: number;
  readonly #size: number;
  #pageSize = 4096;
  #pages = 0;
  readonly #seen = new Set<number>();

  constructor(file: number, size: number) {
    this.#file = file;
    this.#size = size;
  }

  /** What is wrong, or undefined. */
  check(): string | undefined {
    try {
      const meta = this.#newestMeta();
      for (const tree of [FREE_TREE, MAIN_TREE]) this.#checkTree(meta, tree);
      return undefined;
    } catch (error) {
      if (error instanceof Unsound) return error.message;
      throw error;
    }
  }

  #newestMeta(): Buffer {
    if (this.#size === 0) throw new Unsound('it is empty');
    const first = this.#read(0, META_BYTES);
    if (first.readUInt32LE(24) !== META_MAGIC || first.readUInt32LE(28) !== META_VERSION)
      throw new Unsound('its first page is not the head of a database');
    this.#pageSize = first.readUInt32LE(FREE_TREE);
    if (![4096, 8192, 16384, 32768, 65536].includes(this.#pageSize)) throw new Unsound(`a page size of ${this.#pageSize}`);
    const second = this.#read(this.#pageSize, META_BYTES);
    for (const [number, meta] of [first, second].entries()) {
      const sound =
        meta.readUInt32LE(24) === META_MAGIC && meta.readUInt32LE(28) === META_VERSION && (meta.readUInt16LE(18) & FLAG_META) !== 0;
      if (!sound || meta.readUInt32LE(FREE_TREE) !== this.#pageSize) throw new Unsound(`head ${number} of two is damaged`);
    }
    const newest = first.readBigUInt64LE(TRANSACTION) > second.readBigUInt64LE(TRANSACTION) ? first : second;
    const lastPage = newest.readBigUInt64LE(LAST_PAGE);
    if (lastPage < 1n || (lastPage + 1n) * BigInt(this.#pageSize) > BigInt(this.#size)) {
      throw new Unsound(`it has ${this.#size} bytes and should have ${(lastPage + 1n) * BigInt(this.#pageSize)}`);
    }
    this.#pages = Number(lastPage) + 1;
    return newest;
  }

  #checkTree(meta: Buffer, at: number): void {
    const root = meta.readBigUInt64LE(at + 40);
    const depth = meta.readUInt16LE(at + 6);
    const entries = meta.readBigUInt64LE(at + 32);
    if (root === NO_ROOT) {
      if (entries !== 0n) throw new Unsound('a tree without root has entries');
      return;
    }
    if (depth < 1 || depth > TREE_DEPTH_MAX) throw new Unsound(`a tree of depth ${depth}`);
    const found = this.#checkPage(root, depth, at);
    if (BigInt(found) !== entries) throw new Unsound(`a tree should hold ${entries} entries and holds ${found}`);
  }

  /** Checks a branch or leaf page and all below it; returns how many entries that is. `depth` 1 is a leaf. */
  #checkPage(number: bigint, depth: number, tree: number): number {
    const page = this.#page(number, 1);
    const flags = page.readUInt16LE(18);
    const kind = depth === 1 ? FLAG_LEAF : FLAG_BRANCH;
    if ((flags & 0xff) !== kind) throw new Unsound(`page ${number} has flags ${flags}`);
    const lower = page.readUInt16LE(20) + PAGE_HEAD_BYTES;
    const upper = page.readUInt16LE(22) + PAGE_HEAD_BYTES;
    const bad = lower < PAGE_HEAD_BYTES || lower > upper || upper > this.#pageSize || lower % 2 !== 0;
    if (bad) throw new Unsound(`page ${number} has bounds ${lower} and ${upper}`);
    const nodes = (lower - PAGE_HEAD_BYTES) / 2;
    if (nodes === 0 || (kind === FLAG_BRANCH && nodes < 2)) throw new Unsound(`page ${number} has ${nodes} nodes`);
    let entries = 0;
    let previous: Buffer | undefined;
    for (let index = 0; index < nodes; index++) {
      const node = this.#nodeAt(page, number, index, upper);
      const isLeftmost = kind === FLAG_BRANCH && index === 0;
      if (kind === FLAG_LEAF) {
        this.#checkValue(page, number, node);
        entries += 1;
      } else {
        const child =
          BigInt(page.readUInt16LE(node)) | (BigInt(page.readUInt16LE(node + 2)) << 16n) | (BigInt(page.readUInt16LE(node + 4)) << 32n);
        entries += this.#checkPage(child, depth - 1, tree);
      }
      const key = page.subarray(node + NODE_HEAD_BYTES, node + NODE_HEAD_BYTES + page.readUInt16LE(node + 6));
      if (key.length === 0 && !isLeftmost) throw new Unsound(`page ${number} has an empty key`);
      if (previous !== undefined && tree === MAIN_TREE && Buffer.compare(previous, key) >= 0)
        throw new Unsound(`page ${number} is out of order`);
      previous = isLeftmost ? undefined : key;
    }
    return entries;
  }

  /** Position of node `index` of `page`; the node's head and key lie within the page. */
  #nodeAt(page: Buffer, number: bigint, index: number, upper: number): number {
    const node = page.readUInt16LE(PAGE_HEAD_BYTES + 2 * index) + PAGE_HEAD_BYTES;
    if (node < upper || node + NODE_HEAD_BYTES > this.#pageSize || node + NODE_HEAD_BYTES + page.readUInt16LE(node + 6) > this.#pageSize) {
      throw new Unsound(`page ${number} has a node outside of it`);
    }
    return node;
  }

  #checkValue(page: Buffer, number: bigint, node: number): void {
    const flags = page.readUInt16LE(node + 4);
    const valueAt = node + NODE_HEAD_BYTES + page.readUInt16LE(node + 6);
    const size = page.readUInt16LE(node) + page.readUInt16LE(node + 2) * 65_536;
    if (flags === NODE_BIG_DATA) {
      if (valueAt + 8 > this.#pageSize) throw new Unsound(`page ${number} has a value outside of it`);
      const first = page.readBigUInt64LE(valueAt);
      const spans = Math.ceil((PAGE_HEAD_BYTES + size) / this.#pageSize);
      const overflow = this.#page(first, spans);
      if ((overflow.readUInt16LE(18) & 0xff) !== FLAG_OVERFLOW || overflow.readUInt32LE(20) < spans)
        throw new Unsound(`page ${first} is not a large value`);
    } else if (flags !== 0 || valueAt + size > this.#pageSize) {
      throw new Unsound(`page ${number} has a value outside of it`);
    }
  }

  /** Reads a page that must be within the file, carry its own number and not have been reached before. */
  #page(number: bigint, spans: number): Buffer {
    if (number < 2n || number + BigInt(spans) > BigInt(this.#pages)) throw new Unsound(`a reference to page ${number} of ${this.#pages}`);
    const index = Number(number);
    if (this.#seen.has(index)) throw new Unsound(`page ${number} is referred to twice`);
    this.#seen.add(index);
    const page = this.#read(index * this.#pageSize, this.#pageSize);
    if (page.readBigUInt64LE(0) !== number) throw new Unsound(`page ${number} carries another number`);
    return page;
  }

  #read(position: number, bytes: number): Buffer {
    const buffer = Buffer.alloc(bytes);
    if (position + bytes > this.#size || readSync(this.#file, buffer, 0, bytes, position) !== bytes) throw new Unsound('it is cut short');
    return buffer;
  }
}
