// The producer: requests of pre-encoded batches, pipelined.
//
// Closed loop: each connection keeps --in-flight requests unanswered; a request's time runs from when it was handed to
// the socket. Open loop (--rate): request k is due at start + k / rate, whatever the broker does, and its time runs
// from then, so a stall counts for everything that should have been sent meanwhile (no coordinated omission).
#define _GNU_SOURCE
#include "kload.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SENDING_MAX 32    // requests that wait for the socket at once, per connection
#define SENDING_PARTS 512 // iovecs of one writev
#define PART_TEXT 16      // framing bytes before a further batch: tags, index, length
#define EVENTS_MAX 512
#define RECEIVE_BYTES (64 << 10)

struct sending {
  uint8_t *text; // the framing bytes around the batches
  struct iovec *parts;
  int part_count, part_next;
  size_t *batches; // in the pool
};

struct waiting {
  int64_t start;
  uint32_t records;
  uint32_t bytes; // of batches
  bool measured;
};

struct connection {
  int fd;
  struct share share;
  int cursor; // next partition of the share
  int64_t producer_id;
  uint32_t *sequences; // of an idempotent producer: next one of each partition of the share
  uint32_t correlation_next, correlation_expected;
  struct waiting *window; // in flight, in order: slot correlation & mask
  int in_flight;
  struct sending sending[SENDING_MAX];
  int sending_first, sending_count;
  uint64_t due_next; // open loop: the global number of this connection's next request
  uint8_t *received;
  size_t received_bytes, received_capacity;
};

static const struct options *o;
static struct result *result;
static struct pool pool;
static struct connection *connections;
static struct writer prefix; // what every request begins with
static size_t prefix_correlation;
static uint32_t window_mask;
static bool measuring, stopped_sending, failed;
static int64_t now;
static struct schedule schedule = {.end = UINT64_MAX};
static struct result *delivered; // end-to-end only
static uint64_t bytes_issued;
static int live;

static void build_prefix(void) {
  begin_request(&prefix, API_PRODUCE, VERSION_PRODUCE, 0, CLIENT_ID);
  prefix_correlation = 8;
  write_uvarint(&prefix, 0); // no transactional id
  write16(&prefix, (int16_t)o->acks);
  write32(&prefix, 30000);
  write_uvarint(&prefix, 2);
  write_compact_string(&prefix, o->topic);
  write_uvarint(&prefix, (uint32_t)o->batches_per_request + 1);
}

static bool may_start(const struct connection *c) {
  if (c->in_flight >= o->in_flight || c->sending_count == SENDING_MAX) return false;
  if (schedule.per_ns > 0) return c->due_next < schedule.due && c->due_next < schedule.end;
  return !stopped_sending && (!o->bytes || !measuring || (int64_t)bytes_issued < o->bytes);
}

// Builds one request: prefix, then per batch its partition and length, the batch itself from the pool, closing tags.
static void start_request(struct connection *c) {
  struct sending *s = &c->sending[(c->sending_first + c->sending_count++) % SENDING_MAX];
  uint8_t *at = s->text;
  memcpy(at, prefix.data, prefix.bytes);
  put32(at + prefix_correlation, c->correlation_next);
  at += prefix.bytes;
  uint8_t *piece = s->text;
  bool open = schedule.per_ns > 0;
  int64_t start = open ? due_time(&schedule, c->due_next) : now;
  uint32_t bytes = 0, records = 0;
  s->part_count = s->part_next = 0;
  for (int b = 0; b < o->batches_per_request; b++) {
    size_t i = s->batches[b] = pool_take(&pool, o->end_to_end ? (uint64_t)start : pool_serial(&pool));
    if (b) *at++ = 0; // tags of the partition before
    put32(at, (uint32_t)c->share.partitions[c->cursor]);
    if (o->idempotent) {
      uint32_t *sequence = &c->sequences[c->cursor];
      pool_stamp(&pool, i, c->producer_id, (int32_t)*sequence);
      *sequence = (*sequence + pool.records[i]) & INT32_MAX; // begins again at 0
    }
    if (++c->cursor == c->share.count) c->cursor = 0;
    at += 4;
    at += put_uvarint(at, pool.sizes[i] + 1);
    s->parts[s->part_count++] = (struct iovec){piece, (size_t)(at - piece)};
    s->parts[s->part_count++] = (struct iovec){pool_batch(&pool, i), pool.sizes[i]};
    piece = at;
    bytes += pool.sizes[i];
    records += pool.records[i];
  }
  *at++ = 0, *at++ = 0, *at++ = 0; // tags of partition, topic, request
  s->parts[s->part_count++] = (struct iovec){piece, (size_t)(at - piece)};
  put32(s->text, (uint32_t)((size_t)(at - s->text) + bytes - 4));
  if (open) c->due_next += (uint64_t)o->connections;
  c->window[c->correlation_next++ & window_mask] =
      (struct waiting){start, records, bytes, measuring && start >= result->start_ns};
  c->in_flight++;
  if (measuring) bytes_issued += bytes;
}

static void on_answered(struct connection *c, bool ok) {
  struct waiting *w = &c->window[c->correlation_expected++ & window_mask];
  c->in_flight--;
  if (ok) result->acknowledged_bytes += w->bytes;
  if (!measuring || !ok) return;
  // Closed loop by time: what is answered in the measured part counts. Else: what was sent or due in it.
  bool by_time = !o->bytes && schedule.per_ns == 0;
  if (by_time ? !result->end_ns : w->measured) {
    result->requests++;
    result->batches += (uint64_t)o->batches_per_request;
    result->records += w->records;
    result->bytes += w->bytes;
    result->interval_bytes += w->bytes;
  }
  if (!w->measured) return;
  histogram_record(result->latency, now - w->start);
  histogram_record(result->interval, now - w->start);
}

static void lose(struct connection *c) {
  close(c->fd);
  c->fd = -1;
  live--;
  result->connections_lost++;
  failed = true;
}

static void finish_sending(struct connection *c, struct sending *s) {
  for (int b = 0; b < o->batches_per_request; b++) pool_give(&pool, s->batches[b]);
  c->sending_first = (c->sending_first + 1) % SENDING_MAX;
  c->sending_count--;
  if (o->acks == 0) on_answered(c, true); // nothing will come: handed to the kernel is all there is to know
}

// One call for what waits. 1: try again, 0: the socket is full, -1: lost.
static int send_waiting(struct connection *c) {
  struct iovec parts[SENDING_PARTS];
  int count = 0;
  for (int i = 0; i < c->sending_count; i++) {
    struct sending *s = &c->sending[(c->sending_first + i) % SENDING_MAX];
    for (int k = s->part_next; k < s->part_count && count < SENDING_PARTS; k++) parts[count++] = s->parts[k];
  }
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
  ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
  if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
  if (measuring) result->wire_bytes += (uint64_t)n;
  size_t left = (size_t)n;
  while (c->sending_count) {
    struct sending *s = &c->sending[c->sending_first];
    for (; s->part_next < s->part_count && left >= s->parts[s->part_next].iov_len; s->part_next++)
      left -= s->parts[s->part_next].iov_len;
    if (s->part_next < s->part_count) {
      struct iovec *part = &s->parts[s->part_next];
      part->iov_base = (uint8_t *)part->iov_base + left;
      part->iov_len -= left;
      return 1; // a short write, or more parts than one call takes: the next call tells
    }
    finish_sending(c, s);
  }
  return 1;
}

static void pump(struct connection *c) {
  if (c->fd < 0) return;
  for (;;) {
    while (may_start(c)) start_request(c);
    if (!c->sending_count) return;
    int outcome = send_waiting(c);
    if (outcome < 0) lose(c);
    if (outcome <= 0) return;
  }
}

static bool take_answer(struct connection *c, const uint8_t *data, size_t bytes) {
  struct reader reader = {data, data + bytes, false}, *r = &reader;
  if ((uint32_t)read32(r) != c->correlation_expected || !c->in_flight) {
    fprintf(stderr, "kload: an answer out of order\n");
    return false;
  }
  skip_tags(r);
  bool ok = true;
  int32_t length;
  int seen = 0;
  for (uint32_t topics = read_uvarint(r); topics > 1 && !r->bad; topics--) {
    read_compact_string(r, &length);
    for (uint32_t partitions = read_uvarint(r); partitions > 1 && !r->bad; partitions--, seen++) {
      int32_t partition = read32(r);
      int error = read16(r);
      int64_t base_offset = read64(r);
      read_raw(r, 16); // log append time, log start offset
      for (uint32_t errors = read_uvarint(r); errors > 1 && !r->bad; errors--) {
        read32(r);
        read_compact_string(r, &length);
        skip_tags(r);
      }
      read_compact_string(r, &length);
      skip_tags(r);
      if (error) result_error(result, error), ok = false;
      else if (partition >= 0 && partition < o->partitions && base_offset > result->offsets[partition])
        result->offsets[partition] = base_offset;
    }
    skip_tags(r);
  }
  if (r->bad || seen != o->batches_per_request) {
    fprintf(stderr, "kload: a Produce answer that cannot be understood\n");
    return false;
  }
  on_answered(c, ok);
  return true;
}

static void on_readable(struct connection *c) {
  for (;;) {
    ssize_t n = recv(c->fd, c->received + c->received_bytes, c->received_capacity - c->received_bytes, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return lose(c);
    now = now_ns();
    c->received_bytes += (size_t)n;
    size_t at = 0;
    while (c->received_bytes - at >= 4) {
      size_t bytes = get32(c->received + at);
      if (bytes + 4 > c->received_capacity) {
        if (bytes > 64u << 20) return lose(c);
        c->received_capacity = 2 * (bytes + 4);
        c->received = realloc(c->received, c->received_capacity);
        if (!c->received) die("out of memory");
      }
      if (c->received_bytes - at < bytes + 4) break;
      if (!take_answer(c, c->received + at + 4, bytes)) return lose(c);
      at += 4 + bytes;
    }
    memmove(c->received, c->received + at, c->received_bytes - at);
    c->received_bytes -= at;
    if (result->error_count > o->errors_max) {
      failed = true;
      return;
    }
  }
}

int wait_events(int epoll_fd, void *events, int count, int64_t timeout_ns) {
  static bool no_pwait2;
  if (timeout_ns < 0) timeout_ns = 0;
  if (!no_pwait2) {
    struct timespec timeout = {timeout_ns / NS_PER_SECOND, timeout_ns % NS_PER_SECOND};
    int n = (int)syscall(SYS_epoll_pwait2, epoll_fd, events, count, &timeout, NULL, 0);
    if (n >= 0 || errno != ENOSYS) return n;
    no_pwait2 = true;
  }
  return epoll_wait(epoll_fd, events, count, (int)(timeout_ns / 1000000)); // 0 below 1 ms: then it spins
}

static void open_connection(struct connection *c, int epoll_fd, int number, struct share share,
                            const struct cluster *cluster) {
  if (o->batches_per_request > share.count) // Kafka refuses a request that names a partition twice
    die("--batches-per-request %d: connection %d has only %d partitions", o->batches_per_request, number, share.count);
  c->share = share;
  c->fd = connect_to(cluster->brokers[share.broker].host, cluster->brokers[share.broker].port);
  if (o->idempotent) {
    c->producer_id = init_producer_id(c->fd);
    c->sequences = must_alloc((size_t)share.count * sizeof *c->sequences);
    memset(c->sequences, 0, (size_t)share.count * sizeof *c->sequences);
  }
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->cursor = number % share.count; // connections that share partitions do not all begin with the same one
  c->due_next = (uint64_t)number;
  c->window = must_alloc((window_mask + 1) * sizeof *c->window);
  c->received_capacity = RECEIVE_BYTES;
  c->received = must_alloc(RECEIVE_BYTES);
  size_t batches = (size_t)o->batches_per_request;
  for (int i = 0; i < SENDING_MAX; i++) {
    c->sending[i].text = must_alloc(prefix.bytes + PART_TEXT * (batches + 1));
    c->sending[i].parts = must_alloc((2 * batches + 1) * sizeof(struct iovec));
    c->sending[i].batches = must_alloc(batches * sizeof(size_t));
  }
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

// Requests become due one after the other, each at the next connection.
static void issue_due(void) {
  if (schedule.per_ns == 0) return;
  uint64_t due = now < schedule.start ? 0 : (uint64_t)((double)(now - schedule.start) * schedule.per_ns) + 1;
  if (due > schedule.end) due = schedule.end;
  uint64_t first = schedule.due;
  schedule.due = due;
  uint64_t fresh = due - first;
  if (fresh > (uint64_t)o->connections) fresh = (uint64_t)o->connections, first = due - fresh;
  for (uint64_t k = first; k < first + fresh; k++) pump(&connections[k % (uint64_t)o->connections]);
}

static bool all_answered(void) {
  for (int i = 0; i < o->connections; i++) {
    const struct connection *c = &connections[i];
    if (c->fd >= 0 && (c->in_flight || (schedule.per_ns > 0 && c->due_next < schedule.end))) return false;
  }
  return true;
}

// What should have been answered and was not, with the age it has: otherwise a hang would look like a good p99.
static void count_unanswered(void) {
  for (int i = 0; i < o->connections; i++) {
    struct connection *c = &connections[i];
    for (; c->in_flight; c->in_flight--) {
      const struct waiting *w = &c->window[c->correlation_expected++ & window_mask];
      if (!w->measured) continue;
      histogram_record(result->latency, now - w->start);
      result->unanswered++;
    }
    if (schedule.per_ns == 0 || schedule.end == UINT64_MAX) continue;
    for (; c->due_next < schedule.end; c->due_next += (uint64_t)o->connections) {
      histogram_record(result->latency, now - due_time(&schedule, c->due_next));
      result->unanswered++;
    }
  }
}

static void begin_measuring(void) {
  result_begin(result, now);
  if (delivered) end_to_end_begin(now);
  measuring = true;
}

static void run_loop(int epoll_fd) {
  struct epoll_event events[EVENTS_MAX];
  now = now_ns();
  int64_t measure_from = now + (int64_t)(o->warmup * 1e9), until = measure_from + (int64_t)(o->seconds * 1e9);
  int64_t drained_by = INT64_MAX;
  schedule.start = now;
  if (o->warmup <= 0) begin_measuring();
  for (int i = 0; i < o->connections; i++) pump(&connections[i]);
  for (;;) {
    int64_t wake = now + 50000000;
    if (schedule.per_ns > 0 && schedule.due < schedule.end && due_time(&schedule, schedule.due) < wake)
      wake = due_time(&schedule, schedule.due);
    int count = wait_events(epoll_fd, events, EVENTS_MAX, wake - now);
    now = now_ns();
    if (measuring && (!stopped_sending || o->bytes)) {
      result_tick(result, now);
      if (delivered) result_tick(delivered, now);
    }
    if (!measuring && now >= measure_from) begin_measuring();
    if (measuring && !stopped_sending && !o->bytes && now >= until) {
      stopped_sending = true;
      schedule.end = schedule.per_ns > 0 ? (uint64_t)((double)(until - schedule.start) * schedule.per_ns) : UINT64_MAX;
      drained_by = now + (int64_t)(o->drain * 1e9);
      if (schedule.per_ns == 0) result_end(result, now);
    }
    for (int i = 0; i < count; i++) {
      if (delivered && tail_owns(events[i].data.ptr)) {
        tail_on_event(events[i].data.ptr);
        continue;
      }
      struct connection *c = events[i].data.ptr;
      if (c->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) on_readable(c);
      pump(c);
    }
    issue_due();
    if (failed || !live || (delivered && result_failed(delivered))) break;
    if (o->bytes && measuring && !stopped_sending && (int64_t)bytes_issued >= o->bytes) {
      stopped_sending = true;
      drained_by = now + (int64_t)(o->drain * 1e9);
    }
    if (stopped_sending && (now > drained_by || (all_answered() && (!delivered || end_to_end_all_received())))) break;
  }
  if (!measuring) begin_measuring(); // lost before the measured part: zeros, and the loss is reported
  if (!result->end_ns) result_end(result, now = now_ns());
  // In open loop the figures are those of what was due within the measured time, so that time is what divides them.
  if (schedule.per_ns > 0 && stopped_sending) result->end_ns = until;
  count_unanswered();
  if (delivered) end_to_end_finish(now);
}

struct result *run_produce(const struct options *options, struct result *r) {
  o = options;
  result = r;
  struct cluster cluster;
  open_cluster(o, &cluster);
  struct share *shares = share_out(o, &cluster);
  build_prefix();
  for (window_mask = 1; window_mask < (uint32_t)o->in_flight; window_mask <<= 1) {
  }
  window_mask = 2 * window_mask - 1;
  size_t sending = (size_t)o->connections * SENDING_MAX;
  if (sending > (size_t)o->connections * (size_t)o->in_flight) sending = (size_t)o->connections * (size_t)o->in_flight;
  r->offsets = must_alloc((size_t)o->partitions * sizeof *r->offsets);
  for (int p = 0; p < o->partitions; p++) r->offsets[p] = -1;
  pool_open(&pool, o, sending * (size_t)o->batches_per_request + 64);
  if (o->rate > 0) {
    double records = 0; // of an average request
    for (size_t i = 0; i < pool.count; i++) records += (double)pool.records[i] / (double)pool.count;
    schedule.per_ns = o->rate / (records * o->batches_per_request) / 1e9;
    prctl(PR_SET_TIMERSLACK, 1UL); // the default of 50 µs would show in every latency
  }
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  connections = must_alloc((size_t)o->connections * sizeof *connections);
  for (int i = 0; i < o->connections; i++) open_connection(&connections[i], epoll_fd, i, shares[i], &cluster);
  live = o->connections;
  // From here on: what the load writes comes after the offsets at which these begin.
  if (o->end_to_end) delivered = end_to_end_open(o, &cluster, epoll_fd, &schedule);
  run_loop(epoll_fd);
  return delivered;
}
