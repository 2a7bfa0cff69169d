// Results for people: plain text, absolute figures beside every ratio.
import { PAIRS_TO_JUDGE } from './stats.mjs';

export function numberText(value) {
  if (value !== 0 && Math.abs(value) < 0.01) return value.toPrecision(2);
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
/** Median (min–max). */
export const rangeText = (spread) => (spread ? `${numberText(spread.median)} (${numberText(spread.min)}–${numberText(spread.max)})` : '-');

/** Why there is no verdict. */
export const unjudged = (spread) =>
  `${spread?.count ?? 0} of the five turns that it takes, or a JVM warmed for less than 30 s, or a part of the load`;

export function printMachine(machine) {
  console.log(
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB · Linux ${machine.kernel} · Node ${machine.node} · ${machine.fileSystem}\n` +
      `commit ${machine.commit} · ${machine.time} · load average ${machine.loadAverage.join(' ')}\n` +
      'The load generator runs on the same cores. Figures: median (min–max) over the turns.\n',
  );
}

/** Whether what is wanted of a side by itself is there, in words; nothing of a side that was not measured. */
export function wantedNote(what, figure, most) {
  if (!figure) return [];
  const verdict = figure.count < PAIRS_TO_JUDGE ? `not judged: ${figure.count} turns` : figure.median <= most ? 'reached' : 'NOT reached';
  return [`${what} of at most ${most}: ${numberText(figure.median)}, ${verdict}`];
}

/** A comparison, a list of figures, or only something to say. */
export function printResult(result) {
  if (result.sides) printComparison(result);
  else if (result.figures) printFigures(result);
  else for (const note of result.notes) console.log(`${result.label}: NOTE: ${note}\n`);
}

function printComparison(result) {
  console.log(`${result.label}  [${result.unit}]`);
  for (const side of result.sides) {
    console.log(
      `  ${side.name.padEnd(20)} ${rangeText(side.figure)}${side.version && side.version !== side.name ? `  (${side.version})` : ''}`,
    );
    console.log(`    acknowledged means: ${side.promise}`);
    const details = [
      `client CPU ${rangeText(side.clientCpu)} cores`,
      `server CPU ${rangeText(side.serverCpu)} cores`,
      `RSS ${rangeText(side.rssMb)} MB at most, ${rangeText(side.ownMemoryMb)} of it anonymous and shared`,
    ];
    if (side.deviceBytesPerByte) details.push(`disk bytes per byte accepted ${rangeText(side.deviceBytesPerByte)}`);
    console.log(`    ${details.join(' · ')}`);
  }
  for (const { of, to, what, ratio, target, holds, turnsHeld } of result.ratios) {
    const judged = `${holds ? 'reached' : 'NOT reached'}; ${turnsHeld} of ${ratio.count} turns reach it`;
    const verdict = ` — ${holds === null ? `not judged: ${unjudged(ratio)}` : judged}`;
    console.log(`  ${what ? `${what}: ` : ''}${of} / ${to}: ${rangeText(ratio)}${target ? `, wanted ${target}${verdict}` : ''}`);
  }
  for (const note of result.notes) console.log(`  note: ${note}`);
  console.log('');
}

function printFigures(result) {
  console.log(`${result.label}  [${result.unit}]`);
  for (const { name, figure, target, holds } of result.figures) {
    const verdict = holds === null ? ` — not judged: ${unjudged(figure)}` : holds ? ' — reached' : ' — NOT reached';
    console.log(`  ${name}: ${rangeText(figure)}${target ? `, wanted ${target}${verdict}` : ''}`);
  }
  for (const note of result.notes ?? []) console.log(`  ${note}`);
  console.log('');
}
