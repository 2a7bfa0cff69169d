/**
 * Makes a clone ready to run, before `npm start` and `npm test`: installs packages when they are missing or older than the lock file,
 * builds when `dist/` is missing or older than the sources. Says in one line what it does, and does and says nothing when all is up to
 * date. Needs Node and npm only.
 *
 * What is installed is known by npm's own record of it, what was built by a hash of what it came from, kept beside the result. File times
 * say nothing: a change of branch or a copy would mislead them.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const buildStamp = join(root, 'dist', '.ringlog-built');

function hashOf(files) {
  const hash = createHash('sha256');
  for (const file of files)
    hash
      .update(`${file}\n`)
      .update(readFileSync(join(root, file)))
      .update('\n');
  return hash.digest('hex');
}

function sources(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1))
    .filter((file) => !file.endsWith('.md'))
    .sort();
}

/**
 * Whether every package of the lock file is installed in the locked version. Optional ones are for some platforms only, and may be missing.
 */
function isInstalled() {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(locked).every(([path, { version, optional }]) => {
    const found = installed[path];
    return path === '' || (found === undefined ? optional === true : found.version === version);
  });
}

function isBuilt(hash) {
  return existsSync(buildStamp) && readFileSync(buildStamp, 'utf8') === hash;
}

/** Runs a step quietly; its output is shown only when it fails. */
function step(says, command, args) {
  process.stderr.write(`ringlog setup: ${says} …\n`);
  try {
    // A Windows command file needs a shell; everything here is a fixed text.
    execFileSync(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', shell: process.platform === 'win32' });
  } catch (error) {
    process.stderr.write(`${error.stdout ?? ''}${error.stderr ?? ''}`);
    process.stderr.write(`ringlog setup: ${command} ${args.join(' ')} failed\n`);
    process.exit(1);
  }
}

if (!isInstalled()) {
  // The compiler is a development dependency, so it has to come even where NODE_ENV=production leaves those out.
  step('installing packages (npm ci)', 'npm', ['ci', '--include=dev', '--no-audit', '--no-fund']);
}

const buildHash = hashOf(['package.json', 'package-lock.json', 'tsconfig.json', '.ci/bundle.mjs', ...sources('src')]);
if (!isBuilt(buildHash)) {
  // What the compiler does not overwrite would stay: a deleted source must not live on.
  for (const folder of ['build', 'dist']) rmSync(join(root, folder), { recursive: true, force: true });
  step('building (tsc)', process.execPath, [join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json']);
  step('bundling (rolldown)', process.execPath, [join('.ci', 'bundle.mjs')]);
  writeFileSync(buildStamp, buildHash);
}
