// Loaded into every thread of a broker before its own code (`node --import`): counts what the thread allocates, and samples where. Asked by meter.mjs through
// the channel of the process; main hands the question to the shards through shared memory, because a shard has no event loop: it is asked where it sleeps.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { GCProfiler, getHeapStatistics } from 'node:v8';
import { getEnvironmentData, isMainThread, setEnvironmentData, workerData } from 'node:worker_threads';

const KEY = 'ringlog-alloc-probe';
const THREADS_MAX = 32;
/** Words: number of the question, what is asked, threads that take part, then per thread the number of the question that it has answered. */
const QUESTION = 0;
const KIND = 1;
const THREADS = 2;
const ANSWERED = 3;
/** Figures per thread, behind the words. */
const FIGURES = 3;
const FIGURES_POSITION = 4 * (ANSWERED + THREADS_MAX + 1);
const LOOK_MS = 20;
const ANSWER_MS_MAX = 10_000;
/** Bytes between two samples, on average. */
const SAMPLE_BYTES = 2048;
const Kind = { begin: 1, end: 2, beginSampling: 3, endSampling: 4 };

if (isMainThread) setEnvironmentData(KEY, new SharedArrayBuffer(FIGURES_POSITION + 8 * FIGURES * THREADS_MAX));
const memory = getEnvironmentData(KEY);
const words = new Int32Array(memory, 0, ANSWERED + THREADS_MAX);
const figures = new Float64Array(memory, FIGURES_POSITION, FIGURES * THREADS_MAX);
const atomicsWait = Atomics.wait;

/** The shards are known by what main gives them; other threads have no share in a request. */
function nameOfThread() {
  if (isMainThread) return 'main';
  if (workerData?.early) return workerData.early;
  return workerData?.settings?.class ? `shard-${workerData.settings.class}` : null;
}

/** What this thread allocates between `begin` and `end`: growth of its heap, plus what each collection in between took away. */
class Counter {
  #profiler = null;
  #session = null;
  #used = 0;
  #external = 0;

  begin() {
    this.#profiler = new GCProfiler();
    this.#profiler.start();
    const { used_heap_size, external_memory } = getHeapStatistics();
    this.#used = used_heap_size;
    this.#external = external_memory;
  }

  /** Bytes of heap, bytes outside of it, collections. */
  end() {
    const { used_heap_size, external_memory } = getHeapStatistics();
    const { statistics } = this.#profiler.stop();
    let used = used_heap_size - this.#used;
    let external = external_memory - this.#external;
    for (const { beforeGC, afterGC } of statistics) {
      used += beforeGC.heapStatistics.usedHeapSize - afterGC.heapStatistics.usedHeapSize;
      external += beforeGC.heapStatistics.externalMemory - afterGC.heapStatistics.externalMemory;
    }
    return [used, external, statistics.length];
  }

  beginSampling() {
    this.#session = new Session();
    this.#session.connect();
    this.#session.post('HeapProfiler.startSampling', {
      samplingInterval: SAMPLE_BYTES,
      includeObjectsCollectedByMajorGC: true,
      includeObjectsCollectedByMinorGC: true,
    });
  }

  /** Leaves the profile in a file. */
  endSampling(path) {
    this.#session.post('HeapProfiler.stopSampling', (error, result) => {
      if (error) throw error;
      writeFileSync(path, JSON.stringify(result.profile));
    });
    this.#session.disconnect();
  }
}

const name = nameOfThread();
const counter = new Counter();
const slot = name === null ? -1 : Atomics.add(words, THREADS, 1);
let answered = Atomics.load(words, QUESTION);

function answer() {
  const question = Atomics.load(words, QUESTION);
  if (question === answered) return;
  answered = question;
  const kind = Atomics.load(words, KIND);
  if (kind === Kind.begin) counter.begin();
  else if (kind === Kind.end) figures.set(counter.end(), FIGURES * slot);
  else if (kind === Kind.beginSampling) counter.beginSampling();
  else counter.endSampling(`${process.env.ALLOC_PROBE_DIR}/${slot}-${name}.heapprofile`);
  Atomics.store(words, ANSWERED + slot, question);
  Atomics.notify(words, ANSWERED + slot);
}

/** Sleeps in short pieces and looks for a question between them. Allocates nothing. */
function waitInPieces(array, index, value, timeout) {
  let left = timeout === undefined ? Infinity : timeout;
  for (;;) {
    answer();
    const outcome = atomicsWait(array, index, value, left < LOOK_MS ? left : LOOK_MS);
    if (outcome !== 'timed-out' || left <= LOOK_MS) return outcome;
    left -= LOOK_MS;
  }
}

/** Asks all threads, main last, and tells when all have answered. */
function ask(kind) {
  Atomics.store(words, KIND, Kind[kind]);
  Atomics.add(words, QUESTION, 1);
  const question = Atomics.load(words, QUESTION);
  const threads = Atomics.load(words, THREADS);
  // The shards first: main is quiet meanwhile.
  const untilMs = performance.now() + ANSWER_MS_MAX;
  for (let other = 1; other < threads; other++)
    while (Atomics.load(words, ANSWERED + other) !== question) {
      if (performance.now() > untilMs) throw new Error(`thread ${other} of ${threads} does not answer the allocation probe`);
      atomicsWait(words, ANSWERED + other, Atomics.load(words, ANSWERED + other), LOOK_MS);
    }
  answer();
  const rows = [];
  for (let one = 0; one < threads; one++) rows.push([...figures.subarray(FIGURES * one, FIGURES * (one + 1))]);
  process.send({ kind, rows });
}

if (isMainThread) {
  process.on('message', ({ ask: kind }) => ask(kind));
  process.channel.unref();
} else if (name !== null) {
  Atomics.wait = waitInPieces;
}
