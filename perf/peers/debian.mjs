// Peers from Debian's packages: downloaded and unpacked into the peers' folder, not installed, so that no service starts and no root is needed.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { peersDir } from './shared.mjs';

function run(what, command, args, cwd) {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 1 << 26 });
  if (error) throw new Error(`${what} is unpacked from Debian's packages by ${command}, which is not here: Debian or Ubuntu is needed.`);
  if (status !== 0) throw new Error(`${what}: ${command} ${args[0]} failed (apt-get update may help):\n${stdout}${stderr}`.slice(0, 2000));
  return stdout;
}

/** Gives the folder in which a package and what it needs beyond this system is unpacked, as a root of its own. Downloads it unless it is there. */
export function unpackDebian(packageName) {
  const root = join(peersDir(), `debian-${packageName}`);
  if (existsSync(root)) return root;
  const partial = `${root}.partial`; // only a complete one gets the real name
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(join(partial, 'debs'), { recursive: true });
  // What an installation would add; what it would only upgrade, "[old version]", is here already. --reinstall names the package even if it is installed.
  const plan = run(packageName, 'apt-get', ['install', '--simulate', '--reinstall', '--no-install-recommends', packageName]);
  const names = plan.split('\n').flatMap((line) => /^Inst (\S+) (?!\[)/.exec(line)?.[1] ?? []);
  run(packageName, 'apt-get', ['download', ...new Set([packageName, ...names])], join(partial, 'debs'));
  for (const deb of readdirSync(join(partial, 'debs'))) run(packageName, 'dpkg-deb', ['-x', join(partial, 'debs', deb), partial]);
  rmSync(join(partial, 'debs'), { recursive: true });
  renameSync(partial, root);
  return root;
}

/** Where a library of an unpacked package is looked for first. */
export function libraryPath(root) {
  const libraries = join(root, 'usr', 'lib');
  const folders = existsSync(libraries) ? readdirSync(libraries).filter((name) => name.endsWith('-linux-gnu')) : [];
  return [...folders.map((name) => join(libraries, name)), process.env.LD_LIBRARY_PATH].filter(Boolean).join(':');
}
