/** One target in a thread of its own, so that an input that never ends can be told and ended. Reports what it tries in shared memory, and what it found in a message. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';

const { out, name, counters, seed, blind, seconds, runs, corpusDir, input, shared } = workerData;
/** Looked at the clock after this many runs. */
const CLOCK_EVERY = 64;

globalThis.ringlogFuzzCounters = new Uint8Array(counters);
const { Fuzzer } = await import(pathToFileURL(join(out, 'test/fuzz/fuzzer.js')).href);
const { TARGETS, PLANTED } = await import(pathToFileURL(join(out, 'test/fuzz/registry.js')).href);
const target = name === 'planted' ? PLANTED : TARGETS.get(name);

/** What is tried now, for whoever has to end this thread: tries, length, bytes. */
const words = new Int32Array(shared, 0, 2);
const trying = Buffer.from(shared, 8);
const watched = {
  ...target,
  run(bytes) {
    words[1] = Math.min(bytes.length, trying.length);
    bytes.copy(trying, 0, 0, words[1]);
    Atomics.add(words, 0, 1);
    target.run(bytes);
  },
};

const fuzzer = new Fuzzer(watched, { seed, blind, counters: globalThis.ringlogFuzzCounters });
const told = (finding) => ({ input: finding.input.toString('hex'), error: String(finding.error?.stack ?? finding.error) });

function search() {
  if (input !== undefined) return fuzzer.try(Buffer.from(input, 'hex'));
  const finding = fuzzer.begin();
  if (finding !== null) return finding;
  if (existsSync(corpusDir ?? '')) {
    for (const file of readdirSync(corpusDir)) {
      const known = fuzzer.try(readFileSync(join(corpusDir, file)));
      if (known !== null) return known;
    }
  }
  const until = performance.now() + 1000 * (seconds ?? Infinity);
  while (fuzzer.runs < (runs ?? Infinity)) {
    if (fuzzer.runs % CLOCK_EVERY === 0 && performance.now() > until) return null;
    const found = fuzzer.step();
    if (found !== null) return found;
  }
  return null;
}

const finding = search();
if (corpusDir !== undefined) {
  mkdirSync(corpusDir, { recursive: true });
  for (const bytes of fuzzer.corpus) writeFileSync(join(corpusDir, createHash('sha1').update(bytes).digest('hex')), bytes);
}
parentPort.postMessage({
  runs: fuzzer.runs,
  ways: fuzzer.ways,
  corpus: fuzzer.corpus.length,
  finding: finding === null ? null : told(finding),
});
