/**
 * Last step of the build: puts the Kafka client library of the command line into the one file that imports it, `dist/cli/kafka/library.js`.
 * Why: docs/decisions/0018-command-line-client.md.
 * A second run finds no import of the library any more, and changes nothing.
 */

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const file = join(root, 'dist', 'cli', 'kafka', 'library.js');
const notices = join(root, 'dist', 'cli', 'kafka', 'library.licenses.txt');

/** What our own code in that file imports and what is there anyway. `protobufjs` is for schema registries, which the command line has not. */
const OUTSIDE = /^node:|^(@node-rs\/crc32|fzstd|protobufjs)(\/|$)/;

const bundle = await rolldown({
  input: file,
  cwd: root,
  platform: 'node',
  external: OUTSIDE,
  // The same code with its WebAssembly inside instead of in a file beside it.
  resolve: { alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' } },
  onLog(level, log) {
    if (level === 'warn') throw new Error(log.message);
  },
});
const { output } = await bundle.generate({ format: 'esm', codeSplitting: false, minify: { compress: true, mangle: false, codegen: true } });
const [{ code, moduleIds }] = output;
const packages = new Set(moduleIds.map((id) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replaceAll('\\', '/'))?.[0]).filter(Boolean));
if (packages.size > 0) {
  writeFileSync(file, `// Holds other people's work, each under its own license: see library.licenses.txt.\n${code}`);
  writeFileSync(
    notices,
    [...packages]
      .toSorted((a, b) => a.localeCompare(b, 'en'))
      .map(notice)
      .join('\n'),
  );
}

/** Name, version and license text of a package that went in. */
function notice(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const text = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (text === undefined && !license) throw new Error(`${name} ${version} names no license`);
  return `==== ${name} ${version} (${license})\n\n${text === undefined ? '' : readFileSync(join(folder, text), 'utf8')}`;
}
