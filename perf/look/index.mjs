// npm run perf -- look SCENARIO: what limits the broker under the load of a scenario, ringlog alone. Prints tables, leaves a flame graph.
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { numberText } from '../lib/report.mjs';
import { flameGraph } from './flame.mjs';
import { countPasses, profilePass, workOf } from './passes.mjs';
import { sharesOf } from './profile.mjs';
import { callTable, profileTable, threadTable } from './tables.mjs';

const SECONDS = 5;
const SECONDS_QUICK = 2;
const CALL_SECONDS_MAX = 3;
/** A kind of thread that does less than this of the time is a line in the table and no panel. */
const DRAWN_SHARE = 0.005;

/** Scenarios that say what a look at them is of. */
export const lookable = (scenarios) => [...scenarios.values()].filter((scenario) => scenario.look).map(({ name }) => name);

const busyOf = (tree) => 1 - sharesOf(tree).wait;
const percent = (share) => `${(100 * share).toFixed(0)} %`;

function panelOf({ name, threads, tree }) {
  const shares = sharesOf(tree);
  const together = threads > 1 ? `${threads} threads together: ` : '';
  const parts = [
    `no work ${percent(shares.wait)}`,
    `waits for the disk ${percent(shares.sync)}`,
    `garbage collection ${percent(shares.gc)}`,
  ];
  return { name, note: together + parts.join(', '), tree };
}

function drawFlame(path, label, { kinds, report }, headline) {
  const panels = kinds.filter(({ tree }) => busyOf(tree) >= DRAWN_SHARE).sort((a, b) => busyOf(b.tree) - busyOf(a.tree));
  const graph = {
    title: `ringlog under load: ${label}`,
    subtitle: `${headline} · a panel is as wide as the ${report.seconds.toFixed(1)} s that were looked at, waiting included`,
    panels: panels.map(panelOf),
  };
  writeFileSync(path, flameGraph(graph));
}

const headlineOf = ({ unit, perSecond }, report) => {
  const rate = unit === 'batch accepted' ? `${numberText(perSecond)} batches/s, ` : '';
  return `${rate}${numberText(report.mb_per_s)} MB/s`;
};

/** Threads of which nothing is in the table are told, not left out. */
const withoutText = (without) => (without.length === 0 ? '' : `\n\nNo profile of: ${without.join(', ')}.`);

/** What a profile cost: the rate under it, as a part of the rate without. */
const partOf = (report, plain) => numberText(workOf(report).perSecond / workOf(plain).perSecond);

/**
 * Looks at one scenario in one durability, prints, and gives the result for the file of results.
 * @param {{ name: string, scenario: any }} job
 * @param {any} context of a scenario, with workDir
 * @param {string} outDir for the flame graph
 */
export async function look(job, context, outDir) {
  if (process.platform !== 'linux') throw new Error('look: what it reads of threads is there on Linux only');
  const seconds = context.seconds ?? (context.quick ? SECONDS_QUICK : SECONDS);
  const own = { ...context, durability: job.durability, seconds };
  context.progress.step(`look ${job.name}: threads, then system calls`);
  const counted = await countPasses(own, job.scenario, { callSeconds: Math.min(seconds, CALL_SECONDS_MAX) });
  context.progress.done();
  context.progress.step(`look ${job.name}: profile`);
  const profiled = await profilePass(own, job.scenario);
  context.progress.done();
  context.progress.clear();

  const { report, calls } = counted;
  const headline = headlineOf(workOf(report), report);
  const path = join(outDir, `flame-${job.name.replaceAll(' ', '-')}.svg`);
  drawFlame(path, job.name, profiled, headlineOf(workOf(profiled.report), profiled.report));
  const disk =
    counted.deviceBytesPerByte === null ? 'nothing accepted' : `disk bytes per byte accepted ${numberText(counted.deviceBytesPerByte)}`;
  const client = `client ${numberText((report.client_cpu_user_s + report.client_cpu_system_s) / report.seconds)} cores`;
  const sections = [
    `${headline} · ${disk} · ${client}`,
    `Threads, in percent of one processor:\n\n${threadTable(counted.threads)}`,
    `Where their time goes, in percent of the time of the clock (profiled: ${partOf(profiled.report, report)} of the rate above).\nWhat main's loop does outside of JavaScript, epoll and reading from sockets, counts as no work here, but not above:\n\n${profileTable(profiled.kinds)}${withoutText(profiled.without)}`,
    calls.leftOut
      ? `System calls: left out: ${calls.leftOut}.`
      : `System calls (beside strace, which slows the broker: ${partOf(calls.report, report)} of the rate above):\n\n${callTable(calls, workOf(calls.report))}`,
  ];
  console.log(`## look: ${job.name}\n\n${sections.join('\n\n')}\n\nflame graph: ${path}\n`);
  const tops = profiled.kinds.map(({ name, threads, longestGcUs, tree }) => ({ name, threads, longestGcUs, shares: sharesOf(tree) }));
  return {
    label: `look: ${job.name}`,
    notes: [sections[0], `flame graph: ${relative(outDir, path)} beside this page`],
    look: {
      report,
      deviceBytesPerByte: counted.deviceBytesPerByte,
      threads: counted.threads,
      profile: { report: profiled.report, kinds: tops, without: profiled.without },
      calls: calls.leftOut ? calls : { ...calls, kinds: Object.fromEntries([...calls.kinds].map(([k, v]) => [k, Object.fromEntries(v)])) },
    },
  };
}
