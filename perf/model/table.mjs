// The model for people: plain text, Markdown, and figures for the page of results. Points that constants come from are told apart. Pure.
import { isOff } from './formula.mjs';

const DIGITS = 3;

/** Three digits that count; thousands apart. */
export function valueText(value) {
  if (!Number.isFinite(value)) return '-';
  const rounded = Number(value.toPrecision(DIGITS));
  return rounded.toLocaleString('en-US', { maximumSignificantDigits: DIGITS });
}

/** How far a prediction is off: positive if it is too much. */
export function errorText(row) {
  if (row.isFitted) return 'fitted';
  const percent = Number.isFinite(row.error) ? `${row.error < 0 ? '−' : '+'}${Math.abs(100 * row.error).toFixed(0)} %` : 'none';
  return isOff(row) ? `${percent}, more than 30 % off` : percent;
}

const constantText = ({ name, value, unit, means }) => `${name} = ${valueText(value)} ${unit} (${means})`;

export function formulaText({ axis, what, unit, text, constants, rows }) {
  const lines = rows.map(
    (row) =>
      `  ${row.name.padEnd(52)}${valueText(row.predicted).padStart(10)}${valueText(row.measured).padStart(10)}  ${errorText(row)}${!row.isFitted && isOff(row) ? '  <<<' : ''}`,
  );
  return [
    `${axis}: ${what} [${unit}] = ${text}`,
    ...constants.map((constant) => `  ${constantText(constant)}`),
    `  ${''.padEnd(52)}${'predicted'.padStart(10)}${'measured'.padStart(10)}  error`,
    ...lines,
    '',
  ].join('\n');
}

const cell = (text) => text.replaceAll('|', String.raw`\|`);

/** Two tables of all formulas: what they are, and how well they did. */
export function markdown(formulas) {
  const described = formulas.map(
    ({ what, unit, text, constants }) =>
      `| ${cell(`${what}, ${unit}`)} | ${cell(text)} | ${constants.map((constant) => cell(constantText(constant))).join('; ')} |`,
  );
  const checked = formulas.flatMap(({ what, unit, rows }) =>
    rows.map((row) => {
      const error = errorText(row);
      const marked = !row.isFitted && isOff(row) ? `**${error}**` : error;
      return `| ${cell(`${what}, ${unit}`)} | ${cell(row.name)} | ${valueText(row.predicted)} | ${valueText(row.measured)} | ${marked} |`;
    }),
  );
  return [
    '| what | formula | constants |',
    '| --- | --- | --- |',
    ...described,
    '',
    '| what | at | predicted | measured | error |',
    '| --- | --- | --- | --- | --- |',
    ...checked,
  ].join('\n');
}

/** A result of the harness, for the page with charts: measured figures, the prediction in the name. */
export function resultOf({ axis, what, unit, text, constants, rows }) {
  const figures = rows.map((row) => ({
    name: `${row.name} · predicted ${valueText(row.predicted)}, ${errorText(row)}`,
    figure: { median: row.measured, min: row.measured, max: row.measured, count: 1 },
    target: null,
    holds: null,
  }));
  return { label: `${axis}: ${what}`, unit, notes: [`= ${text}: ${constants.map(constantText).join('; ')}`], figures };
}
