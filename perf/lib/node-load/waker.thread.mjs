// Wakes the main thread whenever a request is due. Timers of an event loop count whole milliseconds, and a loop that never sleeps would take a processor from the
// broker; a thread can sleep for microseconds.
import { parentPort, workerData } from 'node:worker_threads';

/** `state[0]` is 1 while a wake-up has not been heard yet: another one would only wait behind it. `startNs`: by process.hrtime. */
const { state, startNs, intervalNs } = workerData;
const never = new Int32Array(new SharedArrayBuffer(4));
const sinceStart = () => Number(process.hrtime.bigint() - startNs);

for (let k = 0; ; k = Math.max(k + 1, Math.floor(sinceStart() / intervalNs))) {
  for (let left = k * intervalNs - sinceStart(); left > 0; left = k * intervalNs - sinceStart()) Atomics.wait(never, 0, 0, left / 1e6);
  if (Atomics.exchange(state, 0, 1) === 0) parentPort.postMessage(null);
}
