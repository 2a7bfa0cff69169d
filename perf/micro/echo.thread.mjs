// Thread of ring.mjs: answers each append with a completion, until it is given a control message.
import { workerData } from 'node:worker_threads';
import { Completion, CompletionKind } from '../../build/ring/completion.js';
import { DoorbellRinger } from '../../build/ring/doorbell.js';
import { IdleStrategy } from '../../build/ring/idle.js';
import { RingConsumer, RingProducer } from '../../build/ring/ring.js';
import { Submission, SubmissionKind } from '../../build/ring/submission.js';

const IDLE_SLEEP_MS = 100;

const submissions = new RingConsumer(workerData.submissions);
const completions = new RingProducer(workerData.completions);
const doorbell = new DoorbellRinger(workerData.doorbell);
const idle = new IdleStrategy(submissions, workerData.spinUs);

let stopped = false;
while (!stopped) {
  const count = submissions.available();
  if (count === 0) {
    idle.wait(IDLE_SLEEP_MS);
    continue;
  }
  for (let n = 0; n < count; n++) {
    const at = submissions.at(n);
    if (submissions.words[at + Submission.kind] === SubmissionKind.control) {
      stopped = true;
      break;
    }
    const to = completions.claim();
    completions.words[to + Completion.kind] = CompletionKind.append;
    completions.words[to + Completion.request] = submissions.words[at + Submission.request];
  }
  submissions.release(count);
  completions.publish();
  doorbell.ring();
}
