// What a run measured, and the line of JSON about it, which has the names of kload's (native-bench/kload_result.c).
import { build } from 'hdr-histogram-js';
import { describeError } from './wire.mjs';

/** Histograms count tenths of a microsecond. */
const STEPS_PER_MS = 10_000;
const STEPS_PER_US = 10;
const LATENCY_MS_MAX = 3_600_000;
const INTERVAL_MS = 1000;
const NAMED = [50, 90, 99, 99.9];
const LADDER = [1, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100];

const newHistogram = () =>
  build({
    bitBucketSize: 32,
    numberOfSignificantValueDigits: 3,
    highestTrackableValue: LATENCY_MS_MAX * STEPS_PER_MS,
    useWebAssembly: false,
  });
const rounded = (value, digits) => Number(value.toFixed(digits));

/** Microseconds. */
function percentile(histogram, percent) {
  return histogram.totalCount === 0 ? 0 : rounded(histogram.getValueAtPercentile(percent) / STEPS_PER_US, 1);
}

function latencyOf(histogram) {
  const isEmpty = histogram.totalCount === 0;
  return {
    count: histogram.totalCount,
    mean: isEmpty ? 0 : rounded(histogram.mean / STEPS_PER_US, 1),
    min: isEmpty ? 0 : rounded(histogram.minNonZeroValue / STEPS_PER_US, 1),
    ...Object.fromEntries(NAMED.map((percent) => [`p${percent}`, percentile(histogram, percent)])),
    max: percentile(histogram, 100),
    ladder: LADDER.map((percent) => [percent, percentile(histogram, percent)]),
  };
}

/** Counts are those of the measured part, except for errors and `acknowledgedBytes`, which are of the whole run; times are `performance.now()`. */
export class Result {
  startMs = 0;
  endMs = 0;
  acknowledgedBytes = 0;
  requests = 0;
  batches = 0;
  records = 0;
  bytes = 0;
  wireBytes = 0;
  errorCount = 0;
  /** @type {Map<number, number>} by code */
  errors = new Map();
  unanswered = 0;
  connectionsLost = 0;
  chainErrors = 0;
  crcErrors = 0;
  /** End to end: records due in the measured time, per consumer. */
  neverReceived = 0;
  intervalMb = [];
  intervalP99Us = [];
  cpu = { user: 0, system: 0 };
  #latency = newHistogram();
  #interval = newHistogram();
  #intervalBytes = 0;
  #intervalStartMs = 0;
  #cpuAtStart = this.cpu;

  begin(nowMs) {
    this.startMs = nowMs;
    this.#intervalStartMs = nowMs;
    this.#cpuAtStart = process.cpuUsage();
  }
  end(nowMs) {
    this.endMs = nowMs;
    this.cpu = process.cpuUsage(this.#cpuAtStart);
  }
  /** Closes the intervals of a second that are over. */
  tick(nowMs) {
    while (nowMs - this.#intervalStartMs >= INTERVAL_MS) {
      this.intervalMb.push(rounded(this.#intervalBytes / 1e6, 1));
      this.intervalP99Us.push(percentile(this.#interval, 99));
      this.#intervalBytes = 0;
      this.#intervalStartMs += INTERVAL_MS;
      this.#interval.reset();
    }
  }
  /** So many record batches, records and bytes of them have got where they should. */
  count(batches, records, bytes) {
    this.batches += batches;
    this.records += records;
    this.bytes += bytes;
    this.#intervalBytes += bytes;
  }
  latency(ms, times = 1) {
    const steps = Math.round(Math.min(Math.max(ms, 0), LATENCY_MS_MAX) * STEPS_PER_MS);
    this.#latency.recordValueWithCount(steps, times);
    this.#interval.recordValueWithCount(steps, times);
  }
  error(code) {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
    this.errorCount++;
  }
  get failures() {
    return this.errorCount + this.connectionsLost + this.unanswered + this.chainErrors + this.crcErrors + this.neverReceived;
  }
  get latencyUs() {
    return latencyOf(this.#latency);
  }
}

/** The consumers' part: every record due in the measured time, from when it was due to when a consumer had it. */
function deliveredReport(o, delivered, seconds) {
  return {
    consumers: o.consumers,
    delivered_records: delivered.records,
    delivered_bytes: delivered.bytes,
    delivered_mb_per_s: rounded(delivered.bytes / 1e6 / seconds, 2),
    never_received: delivered.neverReceived,
    end_to_end_us: delivered.latencyUs,
    end_to_end_interval_mb: delivered.intervalMb,
    end_to_end_interval_p99_us: delivered.intervalP99Us,
  };
}

/** @param {Result | null} delivered of the consumers of an end-to-end run, whose failures are the run's */
export function reportOf(o, result, delivered) {
  const seconds = Math.max(1e-9, (result.endMs - result.startMs) / 1000);
  const errors = {};
  for (const part of delivered ? [result, delivered] : [result])
    for (const [code, count] of part.errors) errors[describeError(code)] = (errors[describeError(code)] ?? 0) + count;
  const both = (name) => result[name] + (delivered?.[name] ?? 0);
  return {
    tool: 'node-load',
    mode: o.mode,
    topic: o.topic,
    partitions: o.partitions,
    connections: o.connections,
    in_flight: o.inFlight,
    acks: o.acks,
    record_bytes: o.recordBytes,
    batch_bytes: o.batchBytes,
    loop: o.rate ? 'open' : 'closed',
    rate: o.rate,
    topic_config: o.topicConfig,
    seconds: rounded(seconds, 4),
    requests: result.requests,
    batches: result.batches,
    records: result.records,
    bytes: result.bytes,
    wire_bytes: result.wireBytes,
    acknowledged_bytes_total: result.acknowledgedBytes,
    mb_per_s: rounded(result.bytes / 1e6 / seconds, 2),
    requests_per_s: rounded(result.requests / seconds, 1),
    records_per_s: rounded(result.records / seconds, 1),
    client_cpu_user_s: rounded(result.cpu.user / 1e6, 3),
    client_cpu_system_s: rounded(result.cpu.system / 1e6, 3),
    error_count: both('errorCount'),
    errors,
    unanswered: result.unanswered,
    connections_lost: both('connectionsLost'),
    chain_errors: both('chainErrors'),
    crc_errors: both('crcErrors'),
    latency_us: result.latencyUs,
    interval_mb: result.intervalMb,
    interval_p99_us: result.intervalP99Us,
    ...(delivered ? deliveredReport(o, delivered, seconds) : {}),
  };
}
