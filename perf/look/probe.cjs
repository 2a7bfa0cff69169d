// Loaded into each thread of a broker before anything else (`node --require`): says which thread of the kernel it is, since Node 20 names none of them. One line a thread,
// and nothing more: what is measured afterwards is the broker as it is. A CommonJS module, because loading any other takes the threads of libuv, and those that
// main has already when this runs are V8's own.
const { appendFileSync, readdirSync, readlinkSync } = require('node:fs');
const { isMainThread, threadId, workerData } = require('node:worker_threads');

/** By what main gives them: a worker is not told its name. */
function nameOfThread() {
  if (isMainThread) return 'main';
  if (workerData?.early) return workerData.early;
  if (workerData?.settings?.class) return `shard-${workerData.index}-${workerData.settings.class}`;
  if (workerData?.crew) return 'sync helpers';
  return workerData?.apiNames ? 'http' : 'jobs';
}

const kernelId = Number(readlinkSync('/proc/thread-self').split('/').pop());
const before = isMainThread ? readdirSync('/proc/self/task').map(Number) : [];
appendFileSync(
  `${process.env.LOOK_PROBE_DIR}/threads.jsonl`,
  `${JSON.stringify({ name: nameOfThread(), threadId, kernelId, v8: before.filter((id) => id !== kernelId) })}\n`,
);
