// A log-linear histogram in the manner of HdrHistogram: 1,024 steps per power of two, so that every recorded value is
// kept to 3 significant digits, from 1 ns to more than an hour, in constant time and memory.
#ifndef RINGLOG_HISTOGRAM_H
#define RINGLOG_HISTOGRAM_H
#include <stdint.h>
#include <stdio.h>

#define HISTOGRAM_STEPS 1024
#define HISTOGRAM_POWERS 33 // 2048 * 2^32 ns = 2.4 hours; larger values land in the last step

struct histogram {
  uint64_t total;
  int64_t max, min;
  double sum;
  uint64_t counts[(HISTOGRAM_POWERS + 1) * HISTOGRAM_STEPS];
};

struct histogram *histogram_new(void);
void histogram_reset(struct histogram *h);
void histogram_record(struct histogram *h, int64_t ns);
void histogram_record_many(struct histogram *h, int64_t ns, uint32_t times);
int64_t histogram_percentile(const struct histogram *h, double percent); // 0 if empty
// {"count":…,"p50":…,…,"max":…,"ladder":[[percent,µs],…]} in microseconds
void histogram_json(const struct histogram *h, FILE *out);
#endif
