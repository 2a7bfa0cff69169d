// A look as text: tables in Markdown, which can be read as they are. Pure.
import { numberText } from '../lib/report.mjs';
import { selfTimes, sharesOf } from './profile.mjs';

const TOP_FUNCTIONS = 6;
const LEAST_SHARE = 0.005; // of a thread's time
const LEAST_CALLS = 0.005; // per unit of work
const CALLS_MAX = 8;

const percent = (share) => (share >= 0.0995 ? (100 * share).toFixed(0) : (100 * share).toFixed(1));
const threadsText = ({ name, threads }) => (threads > 1 ? `${name} (${threads})` : name);

/** @param {string[]} heads @param {string[][]} rows */
export function markdownTable(heads, rows) {
  const widths = heads.map((head, n) => Math.max(3, head.length, ...rows.map((row) => row[n].length)));
  const line = (cells) => `| ${cells.map((cell, n) => cell.padEnd(widths[n])).join(' | ')} |`;
  return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Processor time and task switches; percent are of one processor. */
export function threadTable(threads) {
  const rows = threads.map((one) => [
    threadsText(one),
    percent(one.userSeconds),
    percent(one.systemSeconds),
    percent(one.queuedSeconds),
    one.voluntary.toFixed(0),
    one.involuntary.toFixed(0),
  ]);
  return markdownTable(['thread', 'user %', 'system %', 'ready, no processor %', 'switches/s, voluntary', 'involuntary'], rows);
}

const siteText = ({ name, place }) => (place ? `${name} ${place.replace(/^src\//, '').replace(/^node_modules\//, '')}` : name);

/** The functions of a tree that take most time themselves, waiting for work left out. */
export function topText(tree) {
  return selfTimes(tree)
    .filter(({ kind, self }) => kind !== 'wait' && self / tree.total >= LEAST_SHARE)
    .slice(0, TOP_FUNCTIONS)
    .map((one) => `${percent(one.self / tree.total)} ${siteText(one)}`)
    .join(' · ');
}

/** Where each thread's time goes, by the samples of its profile; percent are of the time of the clock. */
export function profileTable(kinds) {
  const rows = kinds.map((kind) => {
    const shares = sharesOf(kind.tree);
    const of = (...names) => percent(names.reduce((sum, name) => sum + shares[name], 0));
    const gc = `${of('gc')}${kind.longestGcUs > 0 ? ` (${(kind.longestGcUs / 1000).toFixed(1)})` : ''}`;
    return [threadsText(kind), of('wait'), of('sync'), of('native'), gc, of('ours'), of('node', 'package'), topText(kind.tree)];
  });
  return markdownTable(
    ['thread', 'no work', 'disk sync', 'native', 'GC (longest, ms)', 'ringlog', 'Node, packages', 'most time itself, %'],
    rows,
  );
}

/** System calls by kind of thread, of one unit of work. */
export function callTable({ kinds, seconds }, { unit, perSecond }) {
  const units = perSecond * seconds;
  const rows = [...kinds].flatMap(([name, counts]) => {
    const each = [...counts].map(([call, { calls, errors }]) => ({ call, calls: calls / units, errors: errors / units }));
    const seen = each.filter(({ calls }) => calls >= LEAST_CALLS).sort((a, b) => b.calls - a.calls);
    if (seen.length === 0) return [];
    const all = each.reduce((sum, { calls }) => sum + calls, 0);
    const text = seen.slice(0, CALLS_MAX).map(({ call, calls, errors }) => {
      const failed = errors >= LEAST_CALLS ? ` (${numberText(errors)} failed)` : '';
      return `${call} ${numberText(calls)}${failed}`;
    });
    return [[name, numberText(all), text.join(' · '), all]];
  });
  rows.sort((a, b) => b[3] - a[3]);
  return markdownTable(
    ['thread', `calls per ${unit}`, 'of them'],
    rows.map((row) => row.slice(0, 3)),
  );
}
