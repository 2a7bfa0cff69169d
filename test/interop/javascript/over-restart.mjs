/**
 * Sends without pause until it is told to stop by a line on stdin; meanwhile the broker is restarted. Says `ready` when it is under way. What was acknowledged has to
 * be at its offset afterwards, for a reader that was there from the beginning.
 */

const TIME_MS_MAX = 60_000;

export async function overRestart(client) {
  const topic = await client.topic(1);
  const state = { told: false, next: 0 };
  process.stdin.once('data', () => (state.told = true));
  const delivered = new Map();
  const read = new Map();
  const errors = [];
  let sent = 0;
  const poll = async () => {
    for (const { offset, value } of await client.read(topic, { offset: state.next, count: 0 })) {
      read.set(offset, value.toString());
      state.next = Math.max(state.next, offset + 1);
    }
  };
  while (!state.told) {
    const value = String(sent);
    try {
      const [{ offset }] = await client.produce(topic, [{ value: Buffer.from(value), partition: 0 }]);
      delivered.set(offset, value);
    } catch (error) {
      errors.push(error.stack);
    }
    sent++;
    // While the broker is away reading may give up; it goes on where it was.
    if (sent % 5 === 0) await poll().catch(() => undefined);
    if (sent === 100) process.stdout.write('ready\n');
  }
  const end = await client.endOffset(topic, 0);
  for (const untilMs = Date.now() + TIME_MS_MAX; state.next < end && Date.now() < untilMs;) await poll();
  const lost = [...delivered].filter(([offset, value]) => read.get(offset) !== value).length;
  process.stdin.destroy();
  process.stdout.write(`${JSON.stringify({ sent, delivered: delivered.size, left: 0, errors: errors.slice(0, 3), lost })}\n`);
}
