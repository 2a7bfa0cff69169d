/**
 * The text of a metrics page, read strictly by the grammar of Prometheus' text format 0.0.4: whatever it does not allow throws, and so do a sample without TYPE and
 * HELP before it, a sample that comes twice, and a histogram whose buckets do not fit together.
 */
export type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

interface HistogramSeries {
  readonly labels: Labels;
  count: number;
  sum: number;
  readonly buckets: Record<string, number>;
}

/** One metric of a page. */
export interface ScrapedMetric {
  readonly type: string;
  readonly help: string;
  /** Of counters and gauges. */
  readonly samples: readonly Sample[];
  readonly histograms: readonly HistogramSeries[];
  /** The value with exactly these labels, or undefined. */
  value(labels: Labels): number | undefined;
}

const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([+-]?(?:[0-9.]+(?:e[+-]?[0-9]+)?|Inf)|Nan|NaN)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/y;

class Metric implements ScrapedMetric {
  type = '';
  readonly help: string;
  readonly samples: Sample[] = [];
  readonly histograms: HistogramSeries[] = [];

  constructor(help: string) {
    this.help = help;
  }

  value(labels: Labels): number | undefined {
    return this.samples.find((sample) => sameLabels(sample.labels, labels))?.value;
  }

  add(suffix: string, labels: Labels, value: number): void {
    if (this.type !== 'histogram') {
      if (suffix !== '' || this.value(labels) !== undefined)
        throw new Error(`a sample of a ${this.type} twice, or with the suffix "${suffix}"`);
      this.samples.push({ labels, value });
      return;
    }
    const { le, ...own } = labels;
    let series = this.histograms.find((one) => sameLabels(one.labels, own));
    if (series === undefined) this.histograms.push((series = { labels: own, count: NaN, sum: NaN, buckets: {} }));
    if (suffix === '_sum') series.sum = value;
    else if (suffix === '_count') series.count = value;
    else if (suffix === '_bucket' && le !== undefined && !(le in series.buckets)) series.buckets[le] = value;
    else throw new Error(`a sample of a histogram with the suffix "${suffix}", le=${le}`);
  }

  check(name: string): void {
    for (const { buckets, count, sum } of this.histograms) {
      const counts = Object.entries(buckets)
        .map(([bound, value]): [number, number] => [bound === '+Inf' ? Infinity : Number(bound), value])
        .sort(([a], [b]) => a - b)
        .map(([, value]) => value);
      const ascending = counts.every((value, index) => index === 0 || value >= (counts[index - 1] as number));
      if (!ascending || buckets['+Inf'] !== count || Number.isNaN(sum)) throw new Error(`the buckets of ${name} do not fit together`);
    }
  }
}

/** Metrics by name. Throws when the text is none. */
export function scraped(text: string): Map<string, ScrapedMetric> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const metrics = new Map<string, Metric>();
  for (const line of text.split('\n')) if (line !== '') readLine(metrics, line);
  for (const [name, metric] of metrics) metric.check(name);
  return metrics;
}

function readLine(metrics: Map<string, Metric>, line: string): void {
  const comment = COMMENT.exec(line);
  if (comment !== null) {
    const [, kind, name, rest] = comment as unknown as [string, string, string, string];
    if (kind === 'TYPE') metricOf(metrics, name, line).type = rest;
    else if (metrics.has(name)) throw new Error(`twice: ${line}`);
    else metrics.set(name, new Metric(rest));
    return;
  }
  const sample = SAMPLE.exec(line);
  if (sample === null) throw new Error(`no sample: ${line}`);
  const [, full, labels, value] = sample as unknown as [string, string, string | undefined, string];
  const suffix = metrics.has(full) ? '' : (/_(?:bucket|sum|count)$/.exec(full)?.[0] ?? '');
  const metric = metricOf(metrics, full.slice(0, full.length - suffix.length), line);
  metric.add(suffix, labels === undefined ? {} : labelsOf(labels), value.endsWith('Inf') ? Infinity : Number(value));
}

function metricOf(metrics: Map<string, Metric>, name: string, line: string): Metric {
  const metric = metrics.get(name);
  if (metric === undefined) throw new Error(`without HELP before it: ${line}`);
  return metric;
}

function labelsOf(text: string): Labels {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  for (let at = 0; at < text.length; at = LABEL.lastIndex) {
    const match = LABEL.exec(text);
    if (match === null) throw new Error(`no labels: ${text}`);
    const [, name, value] = match as unknown as [string, string, string];
    labels[name] = value.replaceAll(/\\(["\\n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
  }
  return labels;
}

function sameLabels(a: Labels, b: Labels): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
