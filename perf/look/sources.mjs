// Where a function of a profile is written: by the source map beside the file that ran, relative to the project, so that a flame graph names the sources of what is
// shipped and no folder of this machine.
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @param {string} path absolute @param {string} root absolute */
export function relativePlace(path, root) {
  if (path.startsWith(`${root}/`)) return path.slice(root.length + 1);
  const packages = path.lastIndexOf('node_modules/');
  return packages >= 0 ? path.slice(packages) : `…/${path.split('/').pop()}`;
}

/** Places of call frames, "file:line". */
export class Sources {
  #root;
  #maps = new Map();
  constructor(root) {
    this.#root = root;
  }

  placeOf({ url, lineNumber, columnNumber }) {
    if (url === '' || lineNumber < 0) return '';
    if (url.startsWith('node:') || !/^(file:|\/)/.test(url)) return `${url}:${lineNumber + 1}`;
    const path = url.startsWith('file:') ? fileURLToPath(url) : url;
    const entry = path.includes('node_modules/') ? null : this.#mapOf(path)?.findEntry(lineNumber, columnNumber);
    if (!entry?.originalSource) return `${relativePlace(path, this.#root)}:${lineNumber + 1}`;
    return `${relativePlace(join(dirname(path), entry.originalSource), this.#root)}:${entry.originalLine + 1}`;
  }

  #mapOf(path) {
    if (!this.#maps.has(path)) {
      const file = `${path}.map`;
      this.#maps.set(path, existsSync(file) ? new SourceMap(JSON.parse(readFileSync(file, 'utf8'))) : null);
    }
    return this.#maps.get(path);
  }
}
