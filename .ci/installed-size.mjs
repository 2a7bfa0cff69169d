/**
 * What `npm install ringlog` puts on a disk of this platform: the packed files, and every package that comes with them, as the lock file has them. Fails when
 * that is more than the limit, when a file is packed that has no business there, or when a package wants to run something at its installation that we do not know.
 * `--list` shows the parts.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const BYTES_MAX = 40e6;
const PACKED = /^(?:package\.json|README\.md|LICENSE|CHANGELOG\.md|dist\/\w+\/[\w-]+\.licenses\.txt|dist\/[\w./-]+\.(?:js|d\.ts))$/;
/** Both only look whether the prebuilt binary of this platform, a package of its own, is there; they compile where there is none. */
const INSTALL_SCRIPTS = new Set(['lmdb', 'msgpackr-extract']);

const problems = [];

/** Bytes of a package's files, without packages inside of it, which the lock file names by themselves. */
function bytesOf(folder) {
  let bytes = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.name === 'node_modules') continue;
    bytes += entry.isDirectory() ? bytesOf(path) : lstatSync(path).size;
  }
  return bytes;
}

const shell = process.platform === 'win32';
const [packed] = JSON.parse(
  execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8', shell }),
);
for (const { path } of packed.files) if (!PACKED.test(path)) problems.push(`${path} is packed and should not be`);
for (const path of ['dist/index.js', 'dist/types/index.d.ts', 'dist/bin.js'])
  if (!packed.files.some((file) => file.path === path)) problems.push(`${path} is not packed`);

const parts = [['ringlog', packed.unpackedSize]];
const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
for (const [place, entry] of Object.entries(packages)) {
  // Packages for other platforms are not installed.
  if (place === '' || entry.dev || entry.devOptional || !existsSync(join(root, place))) continue;
  const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
  if (entry.hasInstallScript && !INSTALL_SCRIPTS.has(name)) problems.push(`${name} runs a script when it is installed: what does it do?`);
  parts.push([name, bytesOf(join(root, place))]);
}

const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
const total = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
if (total > BYTES_MAX) problems.push(`${megabytes(total)} MB are installed, and ${megabytes(BYTES_MAX)} are the most`);
if (process.argv.includes('--list')) {
  for (const [name, bytes] of parts.sort((a, b) => b[1] - a[1])) process.stdout.write(`${megabytes(bytes).padStart(6)} MB  ${name}\n`);
  process.stdout.write(`${megabytes(total).padStart(6)} MB  in all\n`);
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length === 0 ? 0 : 1;
