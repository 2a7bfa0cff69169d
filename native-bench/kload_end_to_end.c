// End to end: the last value bytes of every record say when it was due, and the consumers, in the same process and by
// the same clock, take how long ago that was when they have it. A record that was sent late, stored late or delivered
// late is late by all of it (no coordinated omission), and one that never comes counts with the age it has at the end.
//
// Which records have come is a bit each: the time a record was due gives back its number in the schedule.
#include "kload.h"
#include <stdlib.h>

static const struct schedule *schedule;
static struct result delivered;
static int consumers, brokers_used;
static uint64_t first, capacity; // number of the first measured request, and how many bits a consumer has
static uint64_t **seen;          // per consumer
static uint64_t received;        // measured requests, over all consumers
static uint32_t records_per_batch;
static bool measuring;

static void on_foreign(int64_t due) {
  if (delivered.chain_errors++ < 5)
    fprintf(stderr, "kload: a record due at %lld ns, which none was: the first was at %lld, and %llu were due until now\n",
            (long long)due, (long long)schedule->start, (unsigned long long)schedule->due);
}

// All of a batch's records were due at once, so one number stands for them.
static void on_batch(int connection, const uint8_t *batch, size_t bytes, int64_t received_at) {
  int64_t due = (int64_t)pool_number(batch, bytes);
  uint64_t k = (uint64_t)((double)(due - schedule->start) * schedule->per_ns + 0.5);
  if (due < schedule->start || k >= schedule->due || due_time(schedule, k) != due) return on_foreign(due);
  if (!measuring || due < delivered.start_ns || k < first) return; // warm-up
  uint64_t bit = k - first;
  if (bit >= capacity) return on_foreign(due);
  uint64_t *word = &seen[connection / brokers_used][bit / 64], mask = (uint64_t)1 << bit % 64;
  if (*word & mask) {
    if (delivered.chain_errors++ < 5) fprintf(stderr, "kload: request %llu came twice\n", (unsigned long long)k);
    return;
  }
  *word |= mask;
  received++;
  records_per_batch = get32(batch + BATCH_RECORD_COUNT);
  delivered.batches++;
  delivered.records += records_per_batch;
  delivered.bytes += bytes;
  delivered.interval_bytes += bytes;
  histogram_record_many(delivered.latency, received_at - due, records_per_batch);
  histogram_record_many(delivered.interval, received_at - due, records_per_batch);
}

static int count_leaders(const struct options *o, const struct cluster *c) {
  int count = 0;
  for (int b = 0; b < c->broker_count; b++) {
    bool leads = false;
    for (int p = 0; p < o->partitions; p++) leads |= c->leader[p] == b;
    count += leads;
  }
  return count;
}

struct result *end_to_end_open(const struct options *o, const struct cluster *c, int epoll_fd,
                               const struct schedule *s) {
  static struct options consuming; // a consumer is a connection to each broker that leads a partition
  schedule = s;
  consumers = o->consumers;
  brokers_used = count_leaders(o, c);
  consuming = *o;
  consuming.connections = consumers * brokers_used;
  consuming.fan_out = consuming.offset_latest = true;
  capacity = (uint64_t)(o->seconds * 1e9 * s->per_ns) + 64;
  seen = must_alloc((size_t)consumers * sizeof *seen);
  for (int i = 0; i < consumers; i++) {
    seen[i] = calloc(capacity / 64 + 1, sizeof **seen);
    if (!seen[i]) die("out of memory for what %d consumers have received", consumers);
  }
  tail_open(&consuming, &delivered, c, epoll_fd, on_batch);
  return &delivered;
}

void end_to_end_begin(int64_t start_ns) {
  result_begin(&delivered, start_ns);
  first = (uint64_t)((double)(start_ns - schedule->start) * schedule->per_ns);
  while (due_time(schedule, first) < start_ns) first++;
  measuring = true;
}

bool end_to_end_all_received(void) {
  return schedule->end != UINT64_MAX && received == (schedule->end - first) * (uint64_t)consumers;
}

void end_to_end_finish(int64_t now) {
  uint64_t end = schedule->end < schedule->due ? schedule->end : schedule->due;
  uint32_t records = records_per_batch ? records_per_batch : 1;
  for (int i = 0; i < consumers; i++)
    for (uint64_t bit = 0; bit < capacity && first + bit < end; bit++) {
      if (seen[i][bit / 64] >> bit % 64 & 1) continue;
      histogram_record_many(delivered.latency, now - due_time(schedule, first + bit), records);
      delivered.never_received += records;
    }
}
