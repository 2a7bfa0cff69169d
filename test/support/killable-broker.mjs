/**
 * `build/cli/start.js` with a handle on its threads: a line on standard input names the worker to end, by the start of its name. Tests use it to see what a
 * broker makes of a thread that dies.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { createInterface } from 'node:readline';

const threads = createRequire(import.meta.url)('node:worker_threads');
const workers = [];
threads.Worker = class extends threads.Worker {
  constructor(...args) {
    super(...args);
    this.label = args[1]?.name ?? String(args[0]);
    workers.push(this);
  }
};
syncBuiltinESMExports();

const { start } = await import('../../build/cli/start.js');
createInterface({ input: process.stdin }).on('line', (line) => {
  const worker = workers.findLast(({ label }) => label.includes(line));
  if (worker === undefined) process.stdout.write(`no worker ${line} among ${workers.map(({ label }) => label).join(', ')}\n`);
  else void worker.terminate();
});
process.stdin.unref();
const args = process.argv.slice(3);
const set = args.flatMap((arg, n) => (args[n - 1] === '--set' ? [arg] : []));
process.exitCode = await start({ set, port: '0', dataDir: args[args.indexOf('--data-dir') + 1] }, { stopsWith: 'nobody' });
