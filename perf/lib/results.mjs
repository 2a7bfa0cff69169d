// Results on disk: one JSON document a line, appended when a scenario has ended, so that an end in the middle costs one scenario.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** @param {string} path */
export function appendResult(path, line) {
  appendFileSync(path, `${JSON.stringify(line)}\n`);
}

/** @param {string} path @returns {any[]} oldest first; a torn last line is left out */
export function readResults(path) {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((text, index, all) => {
      if (text.trim() === '') return [];
      try {
        return [JSON.parse(text)];
      } catch {
        if (index >= all.length - 2) return [];
        throw new Error(`${path}, line ${index + 1}: not JSON`);
      }
    });
}
