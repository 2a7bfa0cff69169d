// Rings: in one thread what a slot costs, between two threads what the way there and back takes.
import { Worker } from 'node:worker_threads';
import { do_not_optimize } from 'mitata';
import { COMPLETION_WORDS } from '../../build/ring/completion.js';
import { createDoorbell, DoorbellListener } from '../../build/ring/doorbell.js';
import { createRing, RingConsumer, RingProducer } from '../../build/ring/ring.js';
import { offerAppend, Submission, SUBMISSION_WORDS, SubmissionKind } from '../../build/ring/submission.js';

const SLOTS = 1024;
const GROUP = 64;

function oneThreadCase(group) {
  const memory = createRing(SLOTS, SUBMISSION_WORDS);
  const producer = new RingProducer(memory);
  const consumer = new RingConsumer(memory);
  return {
    name: `ring, one thread: enqueue and dequeue, groups of ${group}`,
    per: group,
    run() {
      for (let n = 0; n < group; n++) offerAppend(producer, n, 1024, n, 0, 1, 0);
      producer.publish();
      let sum = 0;
      const count = consumer.available();
      for (let n = 0; n < count; n++) sum += consumer.words[consumer.at(n) + Submission.position];
      consumer.release(count);
      do_not_optimize(sum);
    },
  };
}

/** A thread that gives back what it is given: of a shard only the rings, the way it waits, and the bell. */
class Echo {
  #failure = null;

  constructor(spinUs) {
    const submissions = createRing(SLOTS, SUBMISSION_WORDS);
    const completions = createRing(SLOTS, COMPLETION_WORDS);
    this.doorbell = createDoorbell();
    this.submissions = new RingProducer(submissions);
    this.completions = new RingConsumer(completions);
    const workerData = { submissions, completions, doorbell: this.doorbell, spinUs };
    this.worker = new Worker(new URL('./echo.thread.mjs', import.meta.url), { workerData });
    this.worker.once('error', (error) => (this.#failure = error));
  }

  offer(count) {
    for (let n = 0; n < count; n++) offerAppend(this.submissions, n, 1024, n, 0, 1, 0);
    this.submissions.publish();
  }

  take() {
    const count = this.completions.available();
    if (count > 0) this.completions.release(count);
    return count;
  }

  /** Main looks until all are back: the way beside the event loop. */
  thereAndBack(count) {
    this.offer(count);
    for (let back = 0; back < count;) back += this.take();
  }

  async stop() {
    const ended = new Promise((resolve) => this.worker.once('exit', resolve));
    this.submissions.words[this.submissions.claim()] = SubmissionKind.control;
    this.submissions.publish();
    await ended;
    if (this.#failure) throw this.#failure;
  }

  /** A thread that answers. */
  static async start(spinUs) {
    const echo = new Echo(spinUs);
    await new Promise((resolve) => echo.worker.once('online', resolve));
    return echo;
  }
}

function lookingCase(name, spinUs, count) {
  return {
    name: `ring, there and back: ${name}`,
    per: count,
    async prepare() {
      const echo = await Echo.start(spinUs);
      return { run: () => echo.thereAndBack(count), end: () => echo.stop() };
    },
  };
}

/** As in an idle broker: the shard sleeps, main is in its event loop and is rung. */
function doorbellCase() {
  return {
    name: 'ring, there and back: both sleep, main is rung',
    async prepare() {
      const echo = await Echo.start(0);
      let arrived = () => {};
      const listener = new DoorbellListener(echo.doorbell, () => {
        if (echo.take() > 0) arrived();
      });
      const alive = setInterval(() => {}, 1000); // a pending waitAsync does not keep the event loop alive
      const run = () =>
        new Promise((resolve) => {
          arrived = resolve;
          echo.offer(1);
        });
      const end = async () => {
        listener.stop();
        clearInterval(alive);
        await echo.stop();
      };
      return { run, end };
    },
  };
}

export const ringCases = () => [
  oneThreadCase(1),
  oneThreadCase(GROUP),
  lookingCase('both look', 1000, 1),
  lookingCase(`both look, groups of ${GROUP}`, 1000, GROUP),
  lookingCase('the shard sleeps, main looks', 0, 1),
  doorbellCase(),
];
