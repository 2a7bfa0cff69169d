/**
 * A broker in a process of its own that dies at its n-th changing disk operation, counted over all threads: `CRASH_AT=n node child.mjs start --data-dir D
 * [--set name=value …]`. With n = 0 it lives, and says at its clean end how many operations there were.
 */
import { Broker } from '../../build/broker.js';

const args = process.argv.slice(3);
const settings = Object.fromEntries(args.flatMap((arg, n) => (args[n - 1] === '--set' ? [arg.split(/=(.*)/s, 2)] : [])));
const operationCounter = new SharedArrayBuffer(4);
const options = { settings, port: 0, dataDir: args[args.indexOf('--data-dir') + 1] };
const broker = await Broker.start(options, { crashAtOperation: Number(process.env['CRASH_AT'] ?? 0), operationCounter });
const operations = () => Atomics.load(new Int32Array(operationCounter), 0);
process.stdout.write(`  address     ${broker.address}\n  started after ${operations()} operations\n  consume \n`);
process.on('SIGTERM', () => {
  void broker.stop().then(() => process.stdout.write(`stopped after ${operations()} operations\n`));
});
