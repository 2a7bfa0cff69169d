/** Clients in Go: built into `.cache` from a folder with a module of its own. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder, interopFolder } from './places.mjs';
import { MissingTool } from './tools.mjs';

/** The program of `test/interop/<name>`. */
export function goClient(name) {
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) throw new MissingTool('Go is not installed (https://go.dev)');
  const source = join(interopFolder, name);
  const program = join(cacheFolder, name);
  mkdirSync(cacheFolder, { recursive: true });
  const { status, stderr } = spawnSync('go', ['build', '-o', program, '.'], { cwd: source, encoding: 'utf8' });
  if (status !== 0) throw new MissingTool(`go build of ${name} failed: ${(stderr ?? '').slice(-1000)}`);
  const version = /franz-go (v[\d.]+)/.exec(readFileSync(join(source, 'go.mod'), 'utf8'))?.[1];
  return { program, version: `franz-go ${version}` };
}
