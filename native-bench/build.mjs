// Builds the native bench into native-bench/bin/ with whatever C compiler is there. Run: npm run build:native
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
export const binDir = join(here, 'bin');

const shared = ['util.c', 'wire.c', 'histogram.c', 'crc32c.c'];
const programs = {
  floor: ['floor.c', 'floor_store.c', 'floor_answers.c', ...shared],
  kload: ['kload.c', 'kload_admin.c', 'kload_pool.c', 'kload_produce.c', 'kload_consume.c', 'kload_end_to_end.c', 'kload_result.c', ...shared],
  micro: ['micro.c', 'util.c', 'histogram.c', 'crc32c.c'],
};
const flags = ['-O2', '-g', '-std=gnu11', '-Wall', '-Wextra', '-pthread'];

/** @returns {string | undefined} the first C compiler that answers: $CC, cc, gcc or clang */
export function findCompiler() {
  const candidates = [process.env.CC, 'cc', 'gcc', 'clang'];
  return candidates.find((name) => name && spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
}

/** Whether the native bench can be had here: Linux with a C compiler, and not forbidden by PERF_NO_NATIVE=1 (to try what happens without). */
export function hasNative() {
  return process.env.PERF_NO_NATIVE !== '1' && process.platform === 'linux' && findCompiler() !== undefined;
}

/** @param {string} program */
function isFresh(program) {
  try {
    const built = statSync(join(binDir, program)).mtimeMs;
    const sources = readdirSync(here).filter((name) => /\.[ch]$|^build\.mjs$/.test(name));
    return sources.every((name) => statSync(join(here, name)).mtimeMs < built);
  } catch {
    return false;
  }
}

/** Builds what is older than its sources. Throws, saying what to do, if there is no compiler or it fails. */
export function buildNative() {
  if (process.env.PERF_NO_NATIVE === '1') throw new Error('PERF_NO_NATIVE=1 forbids the native bench.');
  if (process.platform !== 'linux') throw new Error('The native bench needs Linux (epoll, fdatasync).');
  mkdirSync(binDir, { recursive: true });
  const stale = Object.entries(programs).filter(([program]) => !isFresh(program));
  if (stale.length === 0) return;
  const compiler = findCompiler();
  if (!compiler) throw new Error('No C compiler found: install gcc or clang (Debian: apt-get install gcc), or set CC.');
  for (const [program, sources] of stale) {
    const result = spawnSync(compiler, [...flags, '-o', join(binDir, program), ...sources], { cwd: here, encoding: 'utf8' });
    if (result.stderr) process.stderr.write(result.stderr);
    if (result.status !== 0) throw new Error(`${compiler} failed to build ${program}.`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    buildNative();
    console.log(`native bench: ${Object.keys(programs).join(', ')} in native-bench/bin/`);
  } catch (error) {
    console.error(`native bench: ${/** @type {Error} */ (error).message}`);
    process.exitCode = 1;
  }
}
