#define _GNU_SOURCE
#include "kload.h"
#include <stdlib.h>

void result_begin(struct result *r, int64_t now) {
  // So far only errors and acknowledged bytes have been counted, and those of the warm-up stay in the report.
  r->latency = histogram_new();
  r->interval = histogram_new();
  r->cpu_start = cpu_time_self();
  r->start_ns = r->interval_start = now;
}

void result_end(struct result *r, int64_t now) {
  r->end_ns = now;
  r->cpu_end = cpu_time_self();
}

void result_tick(struct result *r, int64_t now) {
  while (now - r->interval_start >= NS_PER_SECOND) {
    if (r->interval_count == r->interval_capacity) {
      r->interval_capacity = r->interval_capacity ? 2 * r->interval_capacity : 64;
      r->interval_mb = realloc(r->interval_mb, (size_t)r->interval_capacity * sizeof(double));
      r->interval_p99 = realloc(r->interval_p99, (size_t)r->interval_capacity * sizeof(double));
      if (!r->interval_mb || !r->interval_p99) die("out of memory");
    }
    r->interval_mb[r->interval_count] = (double)r->interval_bytes / 1e6;
    r->interval_p99[r->interval_count++] = (double)histogram_percentile(r->interval, 99) / 1e3;
    r->interval_bytes = 0;
    r->interval_start += NS_PER_SECOND;
    histogram_reset(r->interval);
  }
}

void result_error(struct result *r, int code) {
  r->errors[(code + 1) & (ERROR_CODES - 1)]++;
  r->error_count++;
}

bool result_failed(const struct result *r) {
  return r->error_count || r->connections_lost || r->unanswered || r->chain_errors || r->crc_errors ||
         r->never_received;
}

static void print_text(const char *text) {
  putchar('"');
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') putchar('\\');
    if ((unsigned char)*text >= 32) putchar(*text);
  }
  putchar('"');
}

static void print_list(const char *name, const double *values, int count) {
  printf(",\"%s\":[", name);
  for (int i = 0; i < count; i++) printf("%s%.1f", i ? "," : "", values[i]);
  printf("]");
}

// The consumers' part: every record due in the measured time, from when it was due to when a consumer had it.
static void print_delivered(const struct options *o, const struct result *d, double seconds) {
  printf(",\"consumers\":%d,\"delivered_records\":%llu,\"delivered_bytes\":%llu,\"delivered_mb_per_s\":%.2f", o->consumers,
         (unsigned long long)d->records, (unsigned long long)d->bytes, (double)d->bytes / 1e6 / seconds);
  printf(",\"never_received\":%llu,\"end_to_end_us\":", (unsigned long long)d->never_received);
  histogram_json(d->latency, stdout);
  print_list("end_to_end_interval_mb", d->interval_mb, d->interval_count);
  print_list("end_to_end_interval_p99_us", d->interval_p99, d->interval_count);
}

#define OFFSETS_PRINTED_MAX 64 // partitions

static void print_offsets(const struct options *o, const struct result *r) {
  if (!r->offsets || o->partitions > OFFSETS_PRINTED_MAX) return;
  printf(",\"%s\":[", o->mode == MODE_CONSUME ? "end_offsets" : "acknowledged_base_offsets");
  for (int p = 0; p < o->partitions; p++) printf("%s%lld", p ? "," : "", (long long)r->offsets[p]);
  putchar(']');
}

void result_print(const struct options *o, const struct result *r, const struct result *delivered) {
  double seconds = (double)(r->end_ns - r->start_ns) / 1e9;
  if (seconds <= 0) seconds = 1e-9;
  printf("{\"tool\":\"kload\",\"mode\":\"%s\",\"topic\":", o->mode == MODE_CONSUME ? "consume" : "produce");
  print_text(o->topic);
  printf(
      ",\"partitions\":%d,\"connections\":%d,\"in_flight\":%d,\"acks\":%d,\"record_bytes\":%d,\"batch_bytes\":[%d,%d]",
      o->partitions, o->connections, o->in_flight, o->acks, o->record_bytes, o->batch_bytes_min, o->batch_bytes_max);
  printf(",\"loop\":\"%s\",\"rate\":%.1f,\"topic_config\":[", o->rate > 0 ? "open" : "closed", o->rate);
  for (int i = 0; i < o->config_count; i++) {
    if (i) putchar(',');
    print_text(o->configs[i]);
  }
  printf("],\"seconds\":%.4f,\"requests\":%llu,\"batches\":%llu,\"records\":%llu,\"bytes\":%llu,\"wire_bytes\":%llu",
         seconds, (unsigned long long)r->requests, (unsigned long long)r->batches, (unsigned long long)r->records,
         (unsigned long long)r->bytes, (unsigned long long)r->wire_bytes);
  printf(",\"acknowledged_bytes_total\":%llu", (unsigned long long)r->acknowledged_bytes);
  printf(",\"mb_per_s\":%.2f,\"requests_per_s\":%.1f,\"records_per_s\":%.1f", (double)r->bytes / 1e6 / seconds,
         (double)r->requests / seconds, (double)r->records / seconds);
  printf(",\"client_cpu_user_s\":%.3f,\"client_cpu_system_s\":%.3f", r->cpu_end.user - r->cpu_start.user,
         r->cpu_end.system - r->cpu_start.system);
  static const struct result none;
  const struct result *d = delivered ? delivered : &none; // its failures are the run's
  printf(",\"error_count\":%llu,\"errors\":{", (unsigned long long)(r->error_count + d->error_count));
  bool first = true;
  for (int i = 0; i < ERROR_CODES; i++) {
    uint64_t errors = r->errors[i] + d->errors[i];
    if (!errors) continue;
    printf("%s\"%d %s\":%llu", first ? "" : ",", i - 1, error_name(i - 1), (unsigned long long)errors);
    first = false;
  }
  printf("},\"unanswered\":%llu,\"connections_lost\":%llu,\"chain_errors\":%llu,\"crc_errors\":%llu,\"latency_us\":",
         (unsigned long long)r->unanswered, (unsigned long long)(r->connections_lost + d->connections_lost),
         (unsigned long long)(r->chain_errors + d->chain_errors), (unsigned long long)(r->crc_errors + d->crc_errors));
  histogram_json(r->latency, stdout);
  print_list("interval_mb", r->interval_mb, r->interval_count);
  print_list("interval_p99_us", r->interval_p99, r->interval_count);
  print_offsets(o, r);
  if (delivered) print_delivered(o, delivered, seconds);
  printf("}\n");
}
