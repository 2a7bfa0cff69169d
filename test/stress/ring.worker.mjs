/**
 * The shard's end in the stress of the rings: takes submissions, checks them, and answers each by one completion. It sleeps without a time limit worth the
 * name, so a wake-up that gets lost stops everything, which the other end notices.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { offerControl } from '../../build/ring/completion.js';
import { PortControl } from '../../build/ring/control.js';
import { DoorbellRinger } from '../../build/ring/doorbell.js';
import { Nap, RingConsumer, RingProducer } from '../../build/ring/ring.js';
import { checkSlot, CONTROL, prng, writeSlot } from './ring.payload.mjs';

const { submissions: submissionMemory, completions: completionMemory, doorbell, control, count, seed, lazy } = workerData;
const submissions = new RingConsumer(submissionMemory);
const completions = new RingProducer(completionMemory);
const bell = new DoorbellRinger(doorbell);
const port = new PortControl(control);
const nap = new Nap();
const random = prng(seed ^ 0x5eed);
const SLEEP_MS = 600_000;

let taken = 0;
let controls = 0;
let sleeps = 0;

function fail(reason) {
  parentPort.postMessage({ error: `worker: ${reason}` });
  throw new Error(reason);
}

/** Room in the completion ring comes only from main: it is rung, and looked for again after a moment, as a shard does. */
function waitForRoom() {
  completions.publish();
  bell.ring();
  nap.sleep(1);
}

function take(at) {
  while (completions.free(1) < 1) waitForRoom();
  if (submissions.words[at] === CONTROL) {
    const message = port.receive();
    if (message.number !== controls || message.taken !== taken) {
      fail(`control ${message.number} behind ${message.taken} came as ${controls} behind ${taken}`);
    }
    controls++;
    port.post({ number: message.number, taken });
    offerControl(completions, CONTROL);
    return;
  }
  const wrong = checkSlot(submissions.words, at, submissionMemory.slotWords, taken, seed);
  if (wrong !== null) fail(wrong);
  writeSlot(completions.words, completions.claim(), completionMemory.slotWords, taken, ~seed);
  taken++;
}

while (taken < count) {
  const available = submissions.available();
  if (available < 0 || available > submissionMemory.slots) fail(`${available} of ${submissionMemory.slots} slots available`);
  if (available === 0) {
    sleeps++;
    submissions.sleep(SLEEP_MS);
    continue;
  }
  // Sometimes all that waits, sometimes less; released after use, or slot by slot.
  const group = random(4) === 0 ? 1 + random(available) : available;
  if (random(2) === 0) {
    for (let n = 0; n < group; n++) take(submissions.at(n));
    submissions.release(group);
  } else {
    for (let n = 0; n < group; n++) {
      take(submissions.at(0));
      submissions.release(1);
    }
  }
  completions.publish();
  bell.ring();
  if (lazy && random(2000) === 0) nap.sleep(1);
}
parentPort.postMessage({ taken, controls, sleeps });
