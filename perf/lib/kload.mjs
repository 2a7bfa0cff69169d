// Runs kload, or without a C compiler its stand-in (node-load/), and gives its report. A run with errors, lost connections or broken chains is no measurement: it
// throws.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { binDir, hasNative } from '../../native-bench/build.mjs';
import { reportOf, startLoad } from './load-program.mjs';

const nodeLoad = fileURLToPath(new URL('node-load/main.mjs', import.meta.url));

/** @param {Record<string, unknown>} options kload's, in camel case; arrays repeat, false and undefined are left out */
export function kloadArgs(options) {
  const args = [];
  for (const [name, value] of Object.entries(options)) {
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one === true) args.push(flag);
      else if (one !== false && one !== undefined) args.push(flag, String(one));
    }
  }
  return args;
}

let known;
/** The command that begins a load; looked for once, since it takes a compiler's answer. */
function loadProgram() {
  known ??= hasNative() ? [join(binDir, 'kload')] : [process.execPath, nodeLoad];
  return known;
}

/** Starts kload or its stand-in: `ended` resolves to { code, report, errorText }. */
export function startKload(port, options) {
  const program = loadProgram();
  return startLoad(program, ['--bootstrap', `127.0.0.1:${port}`, ...kloadArgs(options)], program.length === 1 ? 'kload' : 'node-load');
}

export function runKload(port, options) {
  return reportOf(startKload(port, options));
}
