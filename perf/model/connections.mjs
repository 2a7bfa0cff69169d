// Connections: memory of those that are idle, and processor time of the smallest question they can ask.
import { ask, openMany } from '../lib/crowd.mjs';
import { withBroker } from './broker.mjs';
import { fitFormula } from './formula.mjs';
import { memoryFormula, restingMemory, restMs } from './memory.mjs';
import { measureQuestions, questionSteps } from './questions.mjs';

const axis = 'connections';
const COUNTS = [
  { count: 100, isFitted: true },
  { count: 500, isFitted: false },
  { count: 2000, isFitted: true },
  { count: 6000, isFitted: false },
];
const WARM_CONNECTIONS = 500;
const QUESTIONS = { axis, what: 'ApiVersions requests', one: 'a request' };

/** What is compiled and grown at first use is not divided among the connections. */
async function warmUp(context, server) {
  for (const socket of await openMany(server.port, WARM_CONNECTIONS)) socket.destroy();
  await restingMemory(server, restMs(context));
}

async function measureMemory(context, server, sockets) {
  const runs = [];
  for (const { count: full, isFitted } of COUNTS) {
    const count = Math.ceil(full * context.scale);
    context.progress.step(`${axis}: ${count}`);
    sockets.push(...(await openMany(server.port, count - sockets.length)));
    runs.push({
      name: `${count.toLocaleString('en-US')} idle connections`,
      isFitted,
      count,
      memoryMb: await restingMemory(server, restMs(context)),
    });
    context.progress.done();
  }
  return runs;
}

async function measure(context, server) {
  const sockets = [];
  try {
    await warmUp(context, server);
    const runs = await measureMemory(context, server, sockets);
    const memory = fitFormula(
      memoryFormula(axis, 'memory with idle connections', { of: 'connections', one: 'a connection', letter: 'count' }),
      runs.map((run) => ({ ...run, measured: run.memoryMb })),
    );
    const questions = await measureQuestions(context, QUESTIONS, server, sockets, async (socket) => ((await ask(socket)) ? 0 : -1));
    return { formulas: [memory, questions.formula], runs: [...runs, ...questions.runs] };
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

export default {
  name: axis,
  steps: () => COUNTS.length + questionSteps,
  run(context) {
    const most = Math.max(...COUNTS.map(({ count }) => count)) + WARM_CONNECTIONS;
    return withBroker(context, axis, [`max.connections=${most}`, `max.connections.per.ip=${most}`], (server) => measure(context, server));
  },
};
