/** The text of a metrics page, read by somebody else's parser. */
import parse from 'parse-prometheus-text-format';

export type Labels = Readonly<Record<string, string>>;

interface HistogramSeries {
  readonly labels: Labels;
  readonly count: number;
  readonly sum: number;
  readonly buckets: Readonly<Record<string, number>>;
}

/** One metric of a page. */
export interface ScrapedMetric {
  readonly type: string;
  readonly help: string;
  /** Of counters and gauges. */
  readonly samples: readonly { readonly labels: Labels; readonly value: number }[];
  readonly histograms: readonly HistogramSeries[];
  /** The value with exactly these labels, or undefined. */
  value(labels: Labels): number | undefined;
}

/** Metrics by name. Throws when the text is none. */
export function scraped(text: string): Map<string, ScrapedMetric> {
  return new Map(parse(text).map((metric) => [metric.name, scrapedMetric(metric)]));
}

function scrapedMetric({ type, help, metrics }: ReturnType<typeof parse>[number]): ScrapedMetric {
  const plain = metrics.filter(({ value }) => value !== undefined).map(({ labels = {}, value }) => ({ labels, value: Number(value) }));
  const histograms = metrics
    .filter(({ buckets }) => buckets !== undefined)
    .map(({ labels = {}, count, sum, buckets }) => ({
      labels,
      count: Number(count),
      sum: Number(sum),
      buckets: Object.fromEntries(Object.entries(buckets ?? {}).map(([bound, value]) => [bound, Number(value)])),
    }));
  return {
    type,
    help,
    samples: plain,
    histograms,
    value: (wanted) => plain.find(({ labels }) => sameLabels(labels, wanted))?.value,
  };
}

function sameLabels(a: Labels, b: Labels): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
