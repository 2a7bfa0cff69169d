/** How a check is named and told to the runner: one line of JSON each, `{ feature, name, ok, note, seconds, refused? }`, or `{ feature, cannot }`. */

import assert from 'node:assert/strict';

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

/** All checks of a client, in order. */
export class Checks {
  list = [];

  /** A check; it works when nothing is thrown. */
  add(feature, name, body) {
    this.list.push({ feature, name, body });
  }

  /** What is not served yet: `body` has to be refused with words that match `clear`; it fails once it works, so that it gets turned into a real check. */
  notServed(feature, clear, body) {
    this.list.push({ feature, name: 'the client says so', body, clear });
  }

  /** What the client itself does not have. */
  cannot(feature, why) {
    this.list.push({ feature, cannot: why });
  }

  async run() {
    for (const { feature, name, body, clear, cannot } of this.list) {
      if (cannot !== undefined) {
        tell({ feature, cannot });
        continue;
      }
      const startedMs = performance.now();
      const error = await body().then(
        () => undefined,
        (thrown) => thrown,
      );
      const seconds = (performance.now() - startedMs) / 1000;
      if (clear === undefined) tell({ feature, name, ok: error === undefined, note: error === undefined ? '' : textOf(error), seconds });
      else tell({ feature, name, seconds, refused: true, ...refusal(error, clear) });
    }
  }
}

function refusal(error, clear) {
  if (error === undefined) return { ok: false, note: 'it works now: make this an ordinary check' };
  const found = clear.exec(textOf(error))?.[0];
  return found === undefined ? { ok: false, note: `not a clear refusal: ${textOf(error)}` } : { ok: true, note: found };
}

/** All that an error says, with what it was caused by. */
export function textOf(error) {
  // kafkajs has a list of partitions or groups, each with its error.
  const ofEach = [error.partitions, error.groups].filter(Array.isArray).flatMap((list) => list.map((each) => each.error));
  const inner = [error.cause, ...(error.errors ?? []), ...ofEach].filter((each) => each !== undefined && each !== null);
  // @platformatic/kafka has Kafka's names of errors beside its texts.
  return [error.apiId ?? '', error.stack ?? String(error), ...inner.map((each) => textOf(each))].join('\n');
}

/** Fails unless `body` is refused with words that match `expected`. */
export async function refused(body, expected) {
  const error = await body().then(
    () => undefined,
    (thrown) => thrown,
  );
  assert.ok(error !== undefined, 'it was not refused');
  assert.match(textOf(error), expected);
}

export const texts = (count) => Array.from({ length: count }, (_, n) => Buffer.from(`message ${n} of ${count}`));

/** Compared as a whole: a list of a hundred thousand differences helps nobody. */
export function assertSame(got, sent) {
  assert.equal(got.length, sent.length, `${got.length} values instead of ${sent.length}`);
  const other = sent.findIndex((value, n) => !value.equals(got[n]));
  assert.equal(other, -1, `value ${other} is another`);
}
