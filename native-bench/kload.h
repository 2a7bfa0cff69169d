// kload's parts: options, the connection to a broker, the pool of batches, and the two kinds of load.
#ifndef RINGLOG_KLOAD_H
#define RINGLOG_KLOAD_H
#include "histogram.h"
#include "util.h"
#include "wire.h"
#include <stdio.h>

#define CLIENT_ID "kload"
#define TOPIC_CONFIGS_MAX 32
#define ERROR_CODES 256 // Kafka's codes -1..254, stored at code + 1

enum mode { MODE_PRODUCE, MODE_CONSUME, MODE_CREATE, MODE_DELETE };

struct options {
  enum mode mode;
  char host[256];
  int port;
  const char *topic;
  int partitions;
  const char *configs[TOPIC_CONFIGS_MAX]; // "name=value", for the topic's creation
  int config_count;
  int connections, in_flight;
  int acks;
  int record_bytes;
  int batch_bytes_min, batch_bytes_max;
  int batches_per_request;
  double rate; // messages per second; 0: closed loop
  double seconds, warmup, drain;
  int64_t bytes;      // 0: for `seconds`
  int64_t pool_bytes; // memory of pre-encoded batches
  const char *pool_file; // batches out of a file instead of made ones, one behind the other
  uint64_t errors_max;
  bool offset_latest, fan_out, verify_crc, idempotent;
  bool end_to_end;
  int consumers; // end-to-end: each gets every record
  int fetch_bytes, response_bytes, wait_ms;
};

// Who leads each partition, as Metadata says.
struct broker {
  int32_t id;
  char host[256];
  int port;
};
struct cluster {
  struct broker *brokers;
  int broker_count;
  int *leader; // per partition, an index into brokers
};

int connect_to(const char *host, int port);                    // dies with a clear message
void open_cluster(const struct options *o, struct cluster *c); // creates the topic if it is not there
void create_topic(const struct options *o);
void delete_topic(const struct options *o);
int64_t init_producer_id(int fd); // on a connection with nothing in flight
// Offsets of all partitions; timestamp -1: the end, -2: the beginning.
void list_offsets(const struct options *o, const struct cluster *c, int64_t timestamp, int64_t *offsets);

// Spreads connections over brokers and partitions over connections: connection k gets the list parts[k].
struct share {
  int broker;
  int *partitions, count;
};
struct share *share_out(const struct options *o, const struct cluster *c);

// Batches made beforehand, in memory larger than the caches. Taking one writes a number that was never used before
// into its last record's last value bytes (a serial number, or when the record was due) and corrects the CRC by eight
// table look-ups, so that all bytes sent are distinct batches.
struct pool {
  uint8_t *memory;
  uint32_t *sizes, *records;
  bool *busy;
  size_t count, stride, next;
  uint64_t serial;
  bool from_file; // compressed perhaps: the timestamps in the header make the difference
  uint32_t (*producer_crc)[256]; // what a change of the producer's fields does to the CRC; for batches of one size
};
void pool_open(struct pool *p, const struct options *o, size_t count_min);
// Makes batch i one of an idempotent producer.
void pool_stamp(struct pool *p, size_t i, int64_t producer_id, int32_t sequence);
size_t pool_take(struct pool *p, uint64_t number); // busy until pool_give: the kernel still reads from it
uint64_t pool_number(const uint8_t *batch, size_t bytes); // what pool_take wrote
static inline uint64_t pool_serial(struct pool *p) {
  return ++p->serial;
}
static inline uint8_t *pool_batch(struct pool *p, size_t i) {
  return p->memory + i * p->stride;
}
static inline void pool_give(struct pool *p, size_t i) {
  p->busy[i] = false;
}

// What a run measured; times are those of the measured part only.
struct result {
  int64_t start_ns, end_ns;
  uint64_t acknowledged_bytes; // of the whole run, warm-up and drain too: what the disk got
  uint64_t requests, batches, records, bytes, wire_bytes;
  uint64_t errors[ERROR_CODES], error_count;
  uint64_t unanswered, chain_errors, crc_errors, connections_lost;
  uint64_t never_received; // end-to-end: records due in the measured time, per consumer
  struct cpu_time cpu_start, cpu_end;
  struct histogram *latency, *interval;
  double *interval_mb, *interval_p99;
  int interval_count, interval_capacity;
  uint64_t interval_bytes;
  int64_t interval_start;
  // Per partition: produce: base offset of the last batch that was acknowledged, -1 for none; consume: where it ended at the start.
  int64_t *offsets;
};
void result_begin(struct result *r, int64_t now);
void result_end(struct result *r, int64_t now);
void result_tick(struct result *r, int64_t now); // closes one-second intervals that are over
void result_error(struct result *r, int code);
bool result_failed(const struct result *r);
// `delivered`: of the consumers of an end-to-end run, else NULL; its latency is the time from due to received.
void result_print(const struct options *o, const struct result *r, const struct result *delivered);

struct result *run_produce(const struct options *o, struct result *r); // gives what was delivered, if end-to-end
void run_consume(const struct options *o, struct result *r);

// Open loop: request k is due at start + k / per_ns, whatever the broker does.
struct schedule {
  int64_t start;
  double per_ns;     // requests; 0: closed loop
  uint64_t due, end; // requests due by now; and the first that is not sent at all
};
static inline int64_t due_time(const struct schedule *s, uint64_t k) {
  return s->start + (int64_t)((double)k / s->per_ns);
}

// Consuming connections that somebody else's loop drives. `on_batch` is told of every complete batch, with the
// connection's number and when its answer had come.
typedef void batch_listener(int connection, const uint8_t *batch, size_t bytes, int64_t received_at);
void tail_open(const struct options *o, struct result *r, const struct cluster *c, int epoll_fd, batch_listener *on_batch);
bool tail_owns(const void *event_data);
void tail_on_event(void *event_data);

// The consumers of an end-to-end run (kload_end_to_end.c), driven by the producer's loop.
struct result *end_to_end_open(const struct options *o, const struct cluster *c, int epoll_fd, const struct schedule *s);
void end_to_end_begin(int64_t start_ns);
bool end_to_end_all_received(void);
void end_to_end_finish(int64_t now); // what was never received counts with its age
int wait_events(int epoll_fd, void *events, int count, int64_t timeout_ns);
#endif
