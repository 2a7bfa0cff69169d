// A page of results that opens from disk: tables of ratios with what stands beside them, throughput and latency over time, latency by percentile. All that it needs is
// inside it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { numberText, rangeText, unjudged } from './report.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const resolve = createRequire(import.meta.url).resolve;
const chartScript = resolve('uplot/dist/uPlot.iife.min.js');
const chartStyle = resolve('uplot/dist/uPlot.min.css');

const escape = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
const cell = (value) => `<td>${value}</td>`;

function verdict({ target, holds, turnsHeld, ratio, figure }) {
  if (!target) return '';
  if (holds === null || holds === undefined) return `wanted ${escape(target)}; not judged: ${unjudged(ratio ?? figure)}`;
  return `wanted ${escape(target)}: <b class="${holds ? 'yes' : 'no'}">${holds ? 'reached' : 'NOT reached'}</b>${turnsHeld === undefined ? '' : `; ${turnsHeld} of ${ratio.count} turns reach it`}`;
}

function ratioTable(ratios) {
  if (ratios.length === 0) return '';
  const rows = ratios.map((one) => {
    const name = `${one.what ? `${escape(one.what)}: ` : ''}${escape(one.of)} / ${escape(one.to)}`;
    return `<tr>${cell(name)}${cell(`<b>${numberText(one.ratio.median)}</b>`)}${cell(`${numberText(one.ratio.min)}–${numberText(one.ratio.max)}`)}${cell(one.ratio.count)}${cell(verdict(one))}</tr>`;
  });
  return `<table><tr><th>ratio within a turn</th><th>median</th><th>min–max</th><th>turns</th><th></th></tr>${rows.join('')}</table>`;
}

function sideTable(result) {
  const rows = result.sides.map((side) =>
    [
      `<b>${escape(side.name)}</b>${side.version && side.version !== side.name ? `<br>${escape(side.version)}` : ''}`,
      rangeText(side.figure),
      escape(side.promise),
      rangeText(side.clientCpu),
      rangeText(side.serverCpu),
      rangeText(side.rssMb),
      rangeText(side.ownMemoryMb),
      rangeText(side.deviceBytesPerByte),
    ]
      .map(cell)
      .join(''),
  );
  const head = [
    'side',
    escape(result.unit),
    'acknowledged means',
    'client CPU, cores',
    'server CPU of the whole load, cores',
    'RSS, MB',
    'anonymous + shared, MB',
    'disk bytes per byte',
  ];
  return `<table><tr>${head.map((text) => `<th>${text}</th>`).join('')}</tr>${rows.map((row) => `<tr>${row}</tr>`).join('')}</table>`;
}

function figureTable(result) {
  const rows = result.figures.map((one) => `<tr>${cell(escape(one.name))}${cell(rangeText(one.figure))}${cell(verdict(one))}</tr>`);
  return `<table><tr><th>${escape(result.unit)}</th><th>median (min–max)</th><th></th></tr>${rows.join('')}</table>`;
}

const lineOf = (run, points) => ({ side: run.side, turn: run.turn, points });
const latencyOf = (report) => report.end_to_end_us ?? report.latency_us;

/** The charts of one comparison: each a list of lines, one a turn. A line with fewer than two points shows nothing. */
function chartsOf(result) {
  const runs = Array.isArray(result.runs) ? result.runs.filter((run) => run.report) : [];
  const bySecond = (values) => (values ?? []).map((value, second) => [second + 1, value]);
  const kinds = [
    ['MB/s over time, s', (run) => bySecond(run.report.interval_mb)],
    ['p99 of each second over time, µs', (run) => bySecond(run.report.end_to_end_interval_p99_us ?? run.report.interval_p99_us)],
    // A step that rests on fewer than a hundred samples is not shown, nor the last one, 100 %, which has no place on a scale of nines.
    [
      'latency by percentile, µs',
      (run) =>
        (latencyOf(run.report)?.ladder ?? [])
          .filter(([percent]) => latencyOf(run.report).count * (1 - percent / 100) > 99)
          .map(([percent, value]) => [1 / (1 - percent / 100), value]),
    ],
    ['anonymous and shared memory over time, MB', (run) => (run.memorySeries ?? []).map(([second, , own]) => [second, own])],
  ];
  return kinds.flatMap(([title, pointsOf], kind) => {
    const lines = runs
      .map((run) => lineOf(run, pointsOf(run)))
      .filter(({ points }) => new Set(points.map(([x]) => x)).size > 1 && points.some(([, value]) => value > 0));
    return lines.length > 0 ? [{ title, isPercentiles: kind === 2, lines }] : [];
  });
}

function resultHtml(result, charts) {
  const notes = (result.notes ?? []).map((note) => `<p class="note">${escape(note)}</p>`).join('');
  if (!result.sides && !result.figures) return `<h3>${escape(result.label)}</h3>${notes}`;
  const own = result.sides ? chartsOf(result) : [];
  const places = own.map((chart) => `<div class="chart" data-chart="${charts.push(chart) - 1}"></div>`).join('');
  const body = result.sides ? ratioTable(result.ratios) + sideTable(result) : figureTable(result);
  return `<h3>${escape(result.label)}</h3>${notes}${body}<div class="charts">${places}</div>`;
}

function machineLine({ machine, command, durationSeconds }) {
  const parts = [
    machine.cpu,
    `${machine.cores} cores`,
    `${machine.memoryGiB} GiB`,
    `Linux ${machine.kernel}`,
    `Node ${machine.node}`,
    machine.fileSystem,
    `commit ${machine.commit}`,
    machine.time,
    `load average ${machine.loadAverage.join(' ')}`,
    ...(durationSeconds ? [`took ${durationSeconds} s`] : []),
  ];
  return `<p class="machine">${parts.map(escape).join(' · ')}<br><code>${escape(command)}</code></p>`;
}

/**
 * @param {any[]} lines of a results file
 * @returns {string} the page
 */
export function htmlReport(lines) {
  const charts = [];
  const sections = lines.map((line) => {
    const body = line.results.map((result) => resultHtml(result, charts)).join('');
    return `<section><h2>${escape(line.scenario)}</h2>${machineLine(line)}${body}</section>`;
  });
  // "</" would end the script in which the data stands.
  const data = JSON.stringify(charts).replaceAll('</', String.raw`<\/`);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ringlog: measurements</title>
<meta name="viewport" content="width=device-width">
<style>${readFileSync(chartStyle, 'utf8')}${readFileSync(join(here, 'html', 'page.css'), 'utf8')}</style></head>
<body><h1>ringlog: measurements</h1>
<p>The sides of a comparison take turns on the same machine, the load on the same cores. A ratio is of one turn; what counts is the median of the turns.</p>
${sections.join('\n')}
<script>${readFileSync(chartScript, 'utf8')}</script>
<script>const CHARTS = ${data};${readFileSync(join(here, 'html', 'page.js'), 'utf8')}</script>
</body></html>
`;
}
