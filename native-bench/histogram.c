#include "histogram.h"
#include "util.h"

struct histogram *histogram_new(void) {
  struct histogram *h = must_alloc(sizeof *h);
  histogram_reset(h);
  return h;
}

void histogram_reset(struct histogram *h) {
  memset(h, 0, sizeof *h);
  h->min = INT64_MAX;
}

// Values below 2,048 have a step each; above, the top 11 bits choose it.
static inline uint32_t step_of(int64_t value) {
  if (value < 2 * HISTOGRAM_STEPS) return (uint32_t)value;
  int power = 63 - __builtin_clzll((uint64_t)value) - 10;
  if (power >= HISTOGRAM_POWERS) return (HISTOGRAM_POWERS + 1) * HISTOGRAM_STEPS - 1;
  return (uint32_t)(power * HISTOGRAM_STEPS + (value >> power));
}

static int64_t highest_in(uint32_t step) {
  if (step < 2 * HISTOGRAM_STEPS) return step;
  int power = (int)(step / HISTOGRAM_STEPS) - 1;
  return ((int64_t)(step - (uint32_t)power * HISTOGRAM_STEPS) + 1) * ((int64_t)1 << power) - 1;
}

void histogram_record(struct histogram *h, int64_t ns) {
  histogram_record_many(h, ns, 1);
}

void histogram_record_many(struct histogram *h, int64_t ns, uint32_t times) {
  if (!times) return;
  if (ns < 0) ns = 0;
  h->counts[step_of(ns)] += times;
  h->total += times;
  h->sum += (double)ns * times;
  if (ns > h->max) h->max = ns;
  if (ns < h->min) h->min = ns;
}

int64_t histogram_percentile(const struct histogram *h, double percent) {
  if (!h->total) return 0;
  double exact = percent / 100 * (double)h->total;
  uint64_t wanted = (uint64_t)exact;
  if ((double)wanted < exact) wanted++;
  if (!wanted) wanted = 1;
  uint64_t seen = 0;
  for (uint32_t step = 0; step < (HISTOGRAM_POWERS + 1) * HISTOGRAM_STEPS; step++) {
    seen += h->counts[step];
    if (seen >= wanted) return highest_in(step) < h->max ? highest_in(step) : h->max;
  }
  return h->max;
}

void histogram_json(const struct histogram *h, FILE *out) {
  static const double named[] = {50, 90, 99, 99.9};
  static const double ladder[] = {1, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 99.999, 100};
  fprintf(out, "{\"count\":%llu,\"mean\":%.1f,\"min\":%.1f", (unsigned long long)h->total,
          h->total ? h->sum / (double)h->total / 1e3 : 0, h->total ? (double)h->min / 1e3 : 0);
  for (size_t i = 0; i < sizeof named / sizeof *named; i++)
    fprintf(out, ",\"p%g\":%.1f", named[i], (double)histogram_percentile(h, named[i]) / 1e3);
  fprintf(out, ",\"max\":%.1f,\"ladder\":[", (double)h->max / 1e3);
  for (size_t i = 0; i < sizeof ladder / sizeof *ladder; i++)
    fprintf(out, "%s[%g,%.1f]", i ? "," : "", ladder[i], (double)histogram_percentile(h, ladder[i]) / 1e3);
  fprintf(out, "]}");
}
