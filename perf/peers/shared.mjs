// What the peers have in common: where they are kept, their variants, their command line.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** Where downloaded peers are kept: RINGLOG_PEERS_DIR or ~/.cache/ringlog-peers. */
export const peersDir = () => process.env.RINGLOG_PEERS_DIR ?? join(homedir(), '.cache', 'ringlog-peers');

/** @template {{ name: string }} T @param {string} peer @param {T[]} variants @param {string} name @returns {T} */
export function wantedVariant(peer, variants, name) {
  const found = variants.find((variant) => variant.name === name);
  if (!found) throw new Error(`${peer} has no variant '${name}': ${variants.map((variant) => variant.name).join(', ')}`);
  return found;
}

const helpOf = ({ file, title, variants }) => `${file}: ${title}

usage: node perf/peers/${file}.mjs fetch                                              get it, and say where it is
       node perf/peers/${file}.mjs start --port N --data-dir D [--variant NAME]       run it until Ctrl-C

variants:
${variants.map(({ name, promise }) => `  ${name.padEnd(10)} an acknowledged record is ${promise}`).join('\n')}

example:
  node perf/peers/${file}.mjs start --data-dir /tmp/${file} --variant ${variants.at(-1).name}`;

async function run(peer, [command, ...rest]) {
  if (command === 'fetch') return console.log(peer.fetch());
  if (command !== 'start') return console.log(helpOf(peer));
  const { values } = parseArgs({
    args: rest,
    options: {
      port: { type: 'string', default: String(peer.port) },
      'data-dir': { type: 'string' },
      variant: { type: 'string', default: peer.variants[0].name },
    },
  });
  if (!values['data-dir']) throw new Error('--data-dir is missing');
  const server = await peer.start({ port: Number(values.port), dataDir: values['data-dir'], variant: values.variant });
  console.log(`${server.name} on 127.0.0.1:${server.port}, log in ${server.logPath}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.stop());
}

/** @param {{ file: string, title: string, port: number, variants: { name: string, promise: string }[], fetch: () => string, start: (options: any) => Promise<any> }} peer */
export function runAsProgram(peer) {
  run(peer, process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
