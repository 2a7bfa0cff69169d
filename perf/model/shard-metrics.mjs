// What the shards of a broker have counted so far, from its page of metrics.

const SERIES = {
  groups: 'ringlog_group_batches_count',
  batches: 'ringlog_group_batches_sum',
  bytes: 'ringlog_group_bytes_sum',
  groupMs: 'ringlog_group_ms_sum',
};

/** The values of one series in Prometheus' text, one for each set of labels. */
export function valuesOf(page, series) {
  return page.split('\n').flatMap((line) => {
    if (!line.startsWith(series) || !/^[{ ]/.test(line.slice(series.length))) return [];
    return [Number(line.slice(line.lastIndexOf(' ') + 1))];
  });
}

/** Groups, batches, bytes and milliseconds in groups since the start, all shards together. */
export async function shardCounts(server) {
  const response = await fetch(`http://127.0.0.1:${server.httpPort}/metrics`);
  if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
  const page = await response.text();
  const counts = {};
  for (const [name, series] of Object.entries(SERIES)) {
    const values = valuesOf(page, series);
    if (values.length === 0) throw new Error(`/metrics has no ${series}`);
    counts[name] = values.reduce((sum, value) => sum + value, 0);
  }
  return counts;
}
