// How the cost of a broker grows, as a few formulas: npm run perf -- model [--axis LIST] [--quick]. Their constants are fitted at few points and checked at others.
import { describeMachine } from '../lib/machine.mjs';
import { Progress } from '../lib/progress.mjs';
import { printMachine } from '../lib/report.mjs';
import connections from './connections.mjs';
import { isOff } from './formula.mjs';
import groups from './groups.mjs';
import load from './load.mjs';
import partitions from './partitions.mjs';
import stored from './stored.mjs';
import { formulaText, markdown, resultOf } from './table.mjs';

const ALL = [load, partitions, connections, groups, stored];
export const AXES = ALL.map(({ name }) => name);

/** How many predictions there were, and which were too far off: said, not hidden. */
function summary(formulas) {
  const checked = formulas.flatMap(({ axis, what, rows }) =>
    rows.filter(({ isFitted }) => !isFitted).map((row) => ({ axis, what, ...row })),
  );
  const off = checked.filter(isOff);
  return [
    `${checked.length} predictions, ${checked.length - off.length} of them within 30 % of what was measured${off.length > 0 ? '; not:' : '.'}`,
    ...off.map(({ axis, what, name }) => `  ${axis}: ${what}, ${name}`),
  ].join('\n');
}

/**
 * Measures the axes asked for, prints formulas, predictions and Markdown, and gives the line for the results.
 * @param {object} context of the harness, with workDir
 * @param {string[]} [names] of axes, default all
 */
export async function runModel(context, names = AXES) {
  const axes = names.map((name) => {
    const axis = ALL.find((one) => one.name === name);
    if (!axis) throw new Error(`--axis: '${name}' is not known, only ${AXES.join(', ')}`);
    return axis;
  });
  const machine = describeMachine(context.workDir);
  printMachine(machine);
  const progress = new Progress(axes.reduce((sum, axis) => sum + axis.steps(context), 0));
  const formulas = [];
  const runs = {};
  const startedAt = performance.now();
  for (const axis of axes) {
    const measured = await axis.run({ ...context, progress });
    progress.clear();
    for (const formula of measured.formulas) console.log(formulaText(formula));
    formulas.push(...measured.formulas);
    runs[axis.name] = measured.runs;
  }
  console.log(`${summary(formulas)}\n\n${markdown(formulas)}\n`);
  const durationSeconds = Number(((performance.now() - startedAt) / 1000).toFixed(1));
  return { scenario: 'model', quick: context.quick, machine, durationSeconds, results: formulas.map(resultOf), formulas, runs };
}
