/**
 * Rings, doorbell, control ports and the sync crew (crew.mjs) under real threads: round after round with random ring sizes, two workers, random bursts, sleeping and waking on both
 * sides. Checked: every slot is seen exactly once, in order, with the bytes that were written; control messages keep their place; no wake-up is lost.
 *
 *   npm run stress [-- --seconds 20] [--seed N]
 */
import { parseArgs } from 'node:util';
import { MessageChannel, Worker } from 'node:worker_threads';
import { PortControl } from '../../build/ring/control.js';
import { createDoorbell, DoorbellListener } from '../../build/ring/doorbell.js';
import { createRing, RingConsumer, RingProducer } from '../../build/ring/ring.js';
import { crewStress } from './crew.mjs';
import { checkSlot, CONTROL, prng, writeSlot } from './ring.payload.mjs';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' }, seed: { type: 'string' } } });
const seconds = Number(values.seconds);
const seed = values.seed === undefined ? Date.now() & 0x7fffffff : Number(values.seed);
/** Without any progress for so long a wake-up was lost: however busy the machine is, a thread that may run does so within seconds. */
const STUCK_MS = 60_000;
const WORKERS = 2;
const CREW_ROUNDS = 50_000;

/** Main's end of one worker. */
class Link {
  constructor(settings, doorbell, onDone, onError) {
    this.settings = settings;
    this.random = prng(settings.seed);
    const submissions = createRing(settings.submissionSlots, 8);
    const completions = createRing(settings.completionSlots, 16);
    // Cursors are numbers modulo 2^32: rounds begin close to where they overflow.
    for (const ring of [submissions, completions]) {
      const words = new Int32Array(ring.buffer);
      words[0] = words[16] = settings.start;
    }
    this.submissions = new RingProducer(submissions);
    this.completions = new RingConsumer(completions);
    const { port1, port2 } = new MessageChannel();
    this.port = new PortControl(port1);
    this.sent = 0;
    this.seen = 0;
    this.controlsSent = 0;
    this.controlsSeen = 0;
    this.finished = false;
    const { seed, count, lazy } = settings;
    const workerData = { submissions, completions, doorbell, control: port2, count, seed, lazy };
    this.worker = new Worker(new URL('./ring.worker.mjs', import.meta.url), { workerData, transferList: [port2] });
    this.worker.on('message', (message) => {
      if (message.error) onError(message.error);
      this.report = message;
    });
    this.worker.on('error', (error) => onError(error.message));
    this.worker.on('exit', () => {
      this.finished = true;
      onDone();
    });
  }

  /** Submits a burst and takes what was answered. */
  pump() {
    this.offer();
    this.take();
    return this.seen < this.settings.count;
  }

  offer() {
    const { count, seed, controls, window } = this.settings;
    let burst = this.random(3) === 0 ? this.random(8) : this.submissions.free(this.settings.submissionSlots);
    burst = Math.min(burst, window - (this.sent - this.seen) - (this.controlsSent - this.controlsSeen));
    while (burst-- > 0 && this.sent < count && this.submissions.free(1) >= 1) {
      if (controls && this.random(500) === 0) {
        this.port.post({ number: this.controlsSent++, taken: this.sent });
        this.submissions.words[this.submissions.claim()] = CONTROL;
        continue;
      }
      writeSlot(this.submissions.words, this.submissions.claim(), 8, this.sent++, seed);
      if (this.random(64) === 0) this.submissions.publish();
    }
    this.submissions.publish();
  }

  take() {
    const available = this.completions.available();
    if (available < 0 || available > this.settings.completionSlots) throw new Error(`${available} completions available`);
    for (let n = 0; n < available; n++) {
      const at = this.completions.at(n);
      if (this.completions.words[at] === CONTROL) {
        const message = this.port.receive();
        if (message.number !== this.controlsSeen++ || message.taken !== this.seen)
          throw new Error(`control ${message.number} is out of place`);
        continue;
      }
      const wrong = checkSlot(this.completions.words, at, 16, this.seen, ~this.settings.seed);
      if (wrong !== null) throw new Error(`completion: ${wrong}`);
      this.seen++;
    }
    if (available > 0) this.completions.release(available);
  }
}

/** One round. `polled`: main looks all the time; else it sleeps until the doorbell rings. */
function round(number, random) {
  const polled = random(3) === 0;
  const settings = () => {
    const submissionSlots = 2 ** (1 + random(13));
    const completionSlots = 2 ** (1 + random(13));
    // A few slots at a time, each waited for: such rounds are short, or they would be all there is.
    let count = Math.min(20_000 + random(1_000_000), 500 * Math.min(submissionSlots, completionSlots) + random(1000));
    // With one or two in flight nothing that comes later covers up for a wake-up that got lost.
    const window = random(3) === 0 ? 1 + random(2) : Infinity;
    if (window !== Infinity) count = Math.min(count, 20_000);
    const start = random(2) === 0 ? 0 : (0x7fffff00 + random(0x200)) | 0;
    return {
      seed: random(2 ** 31),
      start,
      window,
      submissionSlots,
      completionSlots,
      count,
      controls: random(2) === 0,
      lazy: random(2) === 0,
    };
  };
  return new Promise((resolve, reject) => {
    const doorbell = createDoorbell();
    const all = Array.from({ length: WORKERS }, settings);
    const links = [];
    let bell = null;
    let rings = 0;
    const progress = new Array(WORKERS).fill(-1);
    const fail = (reason) => {
      clearInterval(watchdog);
      bell?.stop();
      for (const link of links) void link.worker.terminate();
      const state = links.map((link) => ({ ...link.settings, sent: link.sent, seen: link.seen }));
      reject(new Error(`round ${number}: ${reason} ${JSON.stringify({ polled, rings, state })}`));
    };
    const watchdog = setInterval(() => {
      for (const [index, link] of links.entries()) {
        if (!link.finished && link.seen === progress[index]) return fail('stuck: a wake-up was lost');
        progress[index] = link.seen;
      }
    }, STUCK_MS);
    const pump = () => {
      try {
        let busy = false;
        for (const link of links) {
          if (!link.pump()) continue;
          busy = true;
          // Nothing is with the worker, so nobody would ring.
          if (link.seen === link.sent && link.controlsSeen === link.controlsSent && !polled) setImmediate(pump);
        }
        if (busy && polled) setImmediate(pump);
      } catch (error) {
        fail(error.message);
      }
    };
    const onDone = () => {
      if (!links.every((link) => link.finished)) return;
      pump();
      clearInterval(watchdog);
      bell.stop();
      const wrong = links.find((link) => link.seen !== link.settings.count || link.report?.taken !== link.seen);
      if (wrong !== undefined) return fail('not everything was seen');
      resolve({
        slots: 2 * links.reduce((sum, link) => sum + link.seen, 0),
        sleeps: links.reduce((sum, link) => sum + link.report.sleeps, 0),
        rings,
      });
    };
    for (const each of all) links.push(new Link(each, doorbell, onDone, fail));
    bell = new DoorbellListener(doorbell, () => {
      rings++;
      if (!polled) pump();
    });
    pump();
  });
}

const random = prng(seed);
const began = Date.now();
const totals = { rounds: 0, slots: 0, sleeps: 0, rings: 0 };
try {
  while (Date.now() - began < seconds * 1000) {
    const { slots, sleeps, rings } = await round(totals.rounds, random);
    totals.rounds++;
    totals.slots += slots;
    totals.sleeps += sleeps;
    totals.rings += rings;
  }
  const crew = await crewStress(CREW_ROUNDS, random);
  totals.rounds++;
  console.log(`sync crew: ${CREW_ROUNDS} rounds, ${crew.synced} descriptors, ${crew.byHelpers} of them by helpers: each once`);
  console.log(
    `ring stress: seed ${seed}, ${totals.rounds} rounds, ${totals.slots} slots, ${totals.sleeps} sleeps, ${totals.rings} rings: all in order`,
  );
  console.log(`${totals.rounds} passed, 0 failed`);
} catch (error) {
  console.error(`ring stress failed: --seed ${seed}\n${error.message}`);
  console.log(`${totals.rounds} passed, 1 failed`);
  process.exitCode = 1;
}
