/**
 * What came of every check: a line each as it happens, the sums at the end, and the material of docs/COMPATIBILITY.md.
 *
 * Outcomes: `works`; `not-served`: ringlog does not serve it yet, and the client says so clearly (the check passes; it fails once the
 * feature works, so that nobody forgets to move it); `fails`. A client that cannot do a thing has no check for it, only a reason.
 */

import { FEATURES, PROGRAMS } from '../features.mjs';

const MARKS = { works: 'ok  ', 'not-served': 'ok  ', fails: 'FAIL' };

/** Thrown by a check of something not served, when it is served after all. */
export class UnexpectedlyWorks extends Error {}

export class Report {
  /** @type {{ client: string, feature: string, name: string, outcome: string, note: string, seconds: number }[]} */
  results = [];
  /** @type {{ client: string, feature: string, why: string }[]} */
  cannots = [];
  /** @type {{ what: string, why: string }[]} */
  skips = [];
  /** Suite → what it runs, with its version. @type {Map<string, string>} */
  clients = new Map();

  /** Runs `body`; it works when nothing is thrown. What `body` returns is the note, if it is a text. */
  async check(client, feature, name, body) {
    const startedMs = performance.now();
    const secondsSince = () => (performance.now() - startedMs) / 1000;
    try {
      const note = await body();
      this.add({ client, feature, name, outcome: 'works', note: typeof note === 'string' ? note : '', seconds: secondsSince() });
    } catch (error) {
      this.add({ client, feature, name, outcome: 'fails', note: error.stack ?? String(error), seconds: secondsSince() });
    }
  }

  /** For what is not served yet: `body` returns what the client says about it, which has to match `clear`. */
  async notServed(client, feature, name, clear, body) {
    const startedMs = performance.now();
    const says = await body().catch((error) => `the check itself failed: ${error.stack ?? error}`);
    const seconds = (performance.now() - startedMs) / 1000;
    if (says === undefined)
      this.add({ client, feature, name, outcome: 'fails', note: 'it works now: make this an ordinary check', seconds });
    else if (clear.test(says)) this.add({ client, feature, name, outcome: 'not-served', note: clear.exec(says)?.[0] ?? says, seconds });
    else this.add({ client, feature, name, outcome: 'fails', note: `not a clear refusal: ${says}`, seconds });
  }

  add(result) {
    if (!FEATURES.has(result.feature) && !PROGRAMS.has(result.feature)) throw new Error(`no feature '${result.feature}' in features.mjs`);
    this.results.push(result);
    const { client, feature, name, outcome, note, seconds } = result;
    const detail = note === '' ? '' : `: ${note}`;
    const text = outcome === 'not-served' ? `not served yet, and the client says so${detail}` : `${name}${detail}`;
    process.stdout.write(`${MARKS[outcome]} ${client} · ${feature} · ${text} (${seconds.toFixed(1)} s)\n`);
  }

  cannot(client, feature, why) {
    if (!FEATURES.has(feature)) throw new Error(`no feature '${feature}' in features.mjs`);
    this.cannots.push({ client, feature, why });
  }

  /** A tool is not there. CI installs what is missing, so there it is a failure; elsewhere it is the choice of whoever owns the machine. */
  async missing(what, client, feature, error) {
    if (process.env.CI) await this.check(client, feature, 'the client is there', () => Promise.reject(error));
    else this.skip(what, error.message);
  }

  skip(what, why) {
    this.skips.push({ what, why });
    process.stdout.write(`\n${'!'.repeat(100)}\n!!! SKIPPED ${what}: ${why}\n${'!'.repeat(100)}\n\n`);
  }

  get counts() {
    const failed = this.results.filter(({ outcome }) => outcome === 'fails').length;
    return { passed: this.results.length - failed, failed, skipped: this.skips.length };
  }

  finish() {
    const { passed, failed, skipped } = this.counts;
    for (const { what, why } of this.skips) process.stdout.write(`SKIPPED ${what}: ${why}\n`);
    for (const { client, feature, name } of this.results.filter(({ outcome }) => outcome === 'fails'))
      process.stdout.write(`FAILED ${client} · ${feature} · ${name}\n`);
    process.stdout.write(`${JSON.stringify(this.counts)}\n`);
    process.stdout.write(`interop: ${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}\n`);
    return failed === 0 && passed > 0;
  }
}
