/**
 * Last step of the build: makes `dist/`, which is what is published and run, out of `src/`, one file for what is loaded together. Why, and what else was looked at:
 * docs/decisions/0023-bundled-start.md and, for the Kafka client library of the command line, 0018-command-line-client.md.
 *
 *   dist/bin.js, dist/index.js   the entries of main; all that they load is in dist/main/
 *   dist/shard/, http/, jobs/    the entry of each thread, at its place of src/, so that main finds it by the same relative path
 *   dist/types/                  made by the compiler, as is `build/`: one file for each of src/, for tests and tools that take a part alone
 *
 * Only packages that are put inside are minified: a stack trace names the functions of the sources.
 */

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { rolldown } from 'rolldown';
import { minify } from 'rolldown/utils';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, 'dist');

/** `protobufjs` is for schema registries, which the client library of the command line would know and the command line has not. */
const OUTSIDE = /^node:|^protobufjs(\/|$)/;
const dependencies = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).dependencies);
const isOutside = (id) => OUTSIDE.test(id) || dependencies.some((name) => id === name || id.startsWith(`${name}/`));

const MAIN = { bin: 'src/bin.ts', index: 'src/index.ts' };
const THREADS = ['shard/shard.thread', 'shard/sync.thread', 'http/http.thread', 'jobs/keeper.thread', 'jobs/batch.thread'];

/** Packages that are put inside instead of being installed, by the name of the file that they become: all that is not a dependency of the package. */
const INSIDE = [
  { name: 'commander', test: /\/node_modules\/commander\// },
  { name: 'msgpackr', test: /\/node_modules\/msgpackr\// },
  // With what it needs itself.
  { name: 'kafka-library', test: /\/node_modules\// },
];

/** Files of main that several commands share, few of them: to find and read one takes a ms of a start. Whose group comes first has a module, with all it needs. */
const SHARED = [
  // What both the command line and a program that embeds a broker need.
  { name: 'common', test: /\/src\/(lib\/|config\/(errors|version)\.ts|protocol\/errors\.ts)/ },
  // What every command loads.
  { name: 'command-line', test: /\/src\/cli\/(run|process-terminal)\.ts$/ },
  // What `start` has loaded before the broker.
  { name: 'early-shards', test: /\/src\/main\/early-shards\.ts$/ },
  { name: 'settings', test: /\/src\/config\//, minShareCount: 2 },
  { name: 'storage', test: /\/src\/(cluster|lib|log|protocol)\//, minShareCount: 2 },
];

await bundle(MAIN, 'main');
for (const name of THREADS) await bundle({ [name]: `src/${name}.ts` }, dirname(name));

/** Bundles `input`; what its entries share, or load later, goes to `folder`. */
async function bundle(input, folder) {
  const made = await rolldown({
    input,
    cwd: root,
    platform: 'node',
    tsconfig: false,
    external: isOutside,
    transform: { target: 'es2022' },
    // The same code with its WebAssembly inside instead of in a file beside it.
    resolve: { alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' } },
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message);
    },
  });
  const { output } = await made.write({
    dir: dist,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: `${folder}/[name].js`,
    sourcemap: true,
    // They are for whoever reads the sources; here they would only be read by the machine, at every start.
    comments: { jsdoc: false },
    codeSplitting: { groups: [...INSIDE, ...(folder === 'main' ? SHARED : [])] },
  });
  for (const chunk of output) {
    if (chunk.type !== 'chunk') continue;
    if (chunk.moduleIds.some((id) => id.includes('node_modules'))) await finishLibrary(chunk);
    checkPlaces(chunk);
  }
}

/** Other people's code: minified, with their licenses beside it. */
async function finishLibrary({ fileName, code, moduleIds }) {
  const name = basename(fileName, '.js');
  if (!INSIDE.some((each) => each.name === name))
    throw new Error(`${fileName} has code of packages, and only ${INSIDE.map((each) => each.name).join(', ')} should`);
  const packages = new Set(
    moduleIds.map((id) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id.replaceAll('\\', '/'))?.[0]).filter(Boolean),
  );
  const small = await minify(fileName, code, { module: true, compress: true, mangle: false, codegen: { removeWhitespace: true } });
  if (small.errors.length > 0) throw new Error(`${fileName}: ${small.errors[0].message}`);
  writeFileSync(join(dist, fileName), `// Holds other people's work, each under its own license: see ${name}.licenses.txt.\n${small.code}`);
  writeFileSync(
    join(dist, dirname(fileName), `${name}.licenses.txt`),
    [...packages]
      .toSorted((a, b) => a.localeCompare(b, 'en'))
      .map(notice)
      .join('\n'),
  );
}

/** What a file reaches by a path relative to itself has to be there, although the file has another place than its source. */
function checkPlaces({ fileName, code }) {
  const place = pathToFileURL(join(dist, fileName));
  for (const [, url, required] of code.matchAll(
    /new URL\("(\.[^"]+)", import\.meta\.url\)|createRequire\(import\.meta\.url\)\("(\.[^"]+)"\)/g,
  )) {
    const target = new URL(url ?? required, place);
    const name = target.href.slice(pathToFileURL(`${dist}/`).href.length).replace(/\.js$/, '');
    if (THREADS.includes(name) || Object.hasOwn(MAIN, name) || existsSync(target)) continue;
    throw new Error(
      `dist/${fileName} refers to ${url ?? required}, which is not there: keep such a path in a file one folder deep in src/`,
    );
  }
}

/** Name, version and license text of a package that went in. */
function notice(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const text = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (text === undefined && !license) throw new Error(`${name} ${version} names no license`);
  return `==== ${name} ${version} (${license})\n\n${text === undefined ? '' : readFileSync(join(folder, text), 'utf8')}`;
}
