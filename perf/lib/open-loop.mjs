import { setTimeout as sleep } from 'node:timers/promises';

/** What is due waits for the next tick: so much of a latency is the client's own. Timers of Node have no finer step. */
const TICK_MS = 1;

/**
 * Sends `rate` requests a second, evenly, whoever answers when; resolves with the latencies from when each was due, ms, ascending, and the codes that were
 * not 0.
 */
export async function openLoop(members, rate, seconds, send) {
  const latencies = [];
  const refusals = [];
  const pending = [];
  const startedAt = performance.now();
  let sent = 0;
  for (const total = rate * seconds; sent < total; await sleep(TICK_MS)) {
    const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * rate));
    for (; sent < due; sent++) {
      const dueAt = startedAt + (sent / rate) * 1000;
      pending.push(
        send(members[sent % members.length]).then((code) => {
          latencies.push(performance.now() - dueAt);
          if (code !== 0) refusals.push(code);
        }),
      );
    }
  }
  await Promise.all(pending);
  return { latencies: latencies.sort((a, b) => a - b), refusals, seconds: (performance.now() - startedAt) / 1000 };
}
