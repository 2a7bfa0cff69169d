// Consumer groups: memory of a member with its connection and its part of a group, and processor time of heartbeats.
import { connectClient } from '../lib/client.mjs';
import { inTurns, Member } from '../lib/group-load.mjs';
import { withBroker } from './broker.mjs';
import { fitFormula } from './formula.mjs';
import { memoryFormula, restingMemory, restMs } from './memory.mjs';
import { measureQuestions, questionSteps } from './questions.mjs';

const axis = 'groups';
const TOPIC = 'model';
const MEMBERS = 10;
/** Groups of MEMBERS each. */
const COUNTS = [
  { count: 100, isFitted: true },
  { count: 200, isFitted: false },
  { count: 300, isFitted: true },
  { count: 500, isFitted: false },
];
/** What is compiled and grown when the first ones join is not divided among them; they stay. */
const WARM_COUNT = 50;
const QUESTIONS = { axis, what: 'heartbeats', one: 'a heartbeat' };

/** Adds groups until there are `count`, all of whose members are at work. */
async function growTo(server, members, count) {
  const added = Array.from(
    { length: count * MEMBERS - members.length },
    (_, index) => new Member(`group-${Math.floor((members.length + index) / MEMBERS)}`, TOPIC, index % MEMBERS),
  );
  members.push(...added);
  await inTurns(added, (member) => member.connect(server.port));
  await added[0].find();
  await Promise.all(added.map((member) => member.settle()));
}

async function measureMemory(context, server, members) {
  await growTo(server, members, Math.ceil(WARM_COUNT * context.scale));
  await restingMemory(server, restMs(context));
  const runs = [];
  for (const { count: full, isFitted } of COUNTS) {
    const count = Math.ceil(full * context.scale);
    context.progress.step(`${axis}: ${count} groups of ${MEMBERS}`);
    await growTo(server, members, count);
    runs.push({
      name: `${count.toLocaleString('en-US')} groups of ${MEMBERS}`,
      isFitted,
      members: members.length,
      memoryMb: await restingMemory(server, restMs(context)),
    });
    context.progress.done();
  }
  return runs;
}

async function measure(context, server) {
  const client = await connectClient(server.port);
  const error = await client.createTopic(TOPIC, {}, MEMBERS);
  if (error !== 0) throw new Error(`CreateTopics: error ${error}`);
  client.close();
  const members = [];
  try {
    const runs = await measureMemory(context, server, members);
    const memory = fitFormula(
      memoryFormula(axis, `memory with groups of ${MEMBERS}`, { of: 'members', one: 'a member and its connection', letter: 'members' }),
      runs.map((run) => ({ ...run, measured: run.memoryMb })),
    );
    const questions = await measureQuestions(context, QUESTIONS, server, members, (member) => member.beat());
    return { formulas: [memory, questions.formula], runs: [...runs, ...questions.runs] };
  } finally {
    for (const member of members) member.close();
  }
}

export default {
  name: axis,
  steps: () => COUNTS.length + questionSteps,
  run(context) {
    const most = Math.max(...COUNTS.map(({ count }) => count)) * MEMBERS + 10;
    const settings = [`max.connections=${most}`, `max.connections.per.ip=${most}`, 'group.initial.rebalance.delay.ms=0'];
    return withBroker(context, axis, settings, (server) => measure(context, server));
  },
};
