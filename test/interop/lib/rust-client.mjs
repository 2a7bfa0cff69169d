/** The client in Rust: built into `.cache`, with the librdkafka that its crate brings as source. Crates stay there, too, so that nothing of the machine changes. */

import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { cacheFolder, interopFolder } from './places.mjs';
import { has, MissingTool, need, step } from './tools.mjs';

/** The first minor version of Rust 1 that compiles the crates of Cargo.lock; Debian 12 has 1.63. */
const RUST_MINOR_MIN = 85;

export function rustClient() {
  // rustup puts it where only a login shell looks.
  const path = [process.env.PATH, join(homedir(), '.cargo', 'bin')].join(delimiter);
  const cargo = [
    'cargo',
    path
      .split(delimiter)
      .map((folder) => join(folder, 'cargo'))
      .find(existsSync),
  ].at(-1);
  if (cargo === undefined) need(['cargo'], () => has('cargo', '--version'));
  need(['gcc', 'make', 'libc6-dev', 'pkg-config', 'zlib1g-dev'], () => has('gcc', '--version') && has('make', '--version'));
  const command = cargo ?? 'cargo';
  const version = step(command, ['--version'], { env: { ...process.env, PATH: path } }).trim();
  if (Number(/ 1\.(\d+)/.exec(version)?.[1]) < RUST_MINOR_MIN)
    throw new MissingTool(`${version} is too old: 1.${RUST_MINOR_MIN} or newer (https://rustup.rs)`);
  const source = join(interopFolder, 'rust');
  const folder = join(cacheFolder, 'rust');
  const env = { ...process.env, PATH: path, CARGO_HOME: join(folder, 'home'), CARGO_TARGET_DIR: join(folder, 'target') };
  step(command, ['build', '--quiet', '--locked'], { cwd: source, env });
  const locked = readFileSync(join(source, 'Cargo.lock'), 'utf8');
  const of = (name) => new RegExp(`name = "${name}"\\nversion = "(.*)"`).exec(locked)[1];
  return {
    binary: join(folder, 'target', 'debug', 'ringlog-interop'),
    version: `Rust rdkafka ${of('rdkafka')} (librdkafka ${of('rdkafka-sys').split('+')[1]})`,
  };
}
