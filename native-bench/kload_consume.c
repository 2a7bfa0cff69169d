// The consumer: one Fetch at a time per connection, as Kafka's clients do, for all partitions of that connection.
// Every batch header is followed, so that a gap, an overlap or a foreign byte in the log shows as a chain error.
#define _GNU_SOURCE
#include "crc32c.h"
#include "kload.h"
#include <errno.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 512
#define ANSWER_BYTES_MAX (256u << 20)

struct position {
  int partition;
  int64_t next, end; // end: where the log ended at the start, INT64_MAX if it is to be followed
};

struct connection {
  int fd, number;
  struct position *positions;
  int count;
  struct writer request;
  size_t sent;
  uint32_t correlation;
  int64_t asked_at;
  uint8_t *answer;
  size_t received, capacity;
  bool done;
};

static const struct options *o;
static struct result *result;
static int64_t now;
static bool measuring;
static batch_listener *listener; // end-to-end: who counts instead of `measuring`
static struct connection *connections;

static void ask(struct connection *c) {
  struct writer *w = &c->request;
  int wanted = 0;
  for (int i = 0; i < c->count; i++) wanted += c->positions[i].next < c->positions[i].end;
  c->done = !wanted;
  if (c->done) return;
  begin_request(w, API_FETCH, VERSION_FETCH, (int32_t)++c->correlation, CLIENT_ID);
  write32(w, -1); // not a replica
  write32(w, o->wait_ms);
  write32(w, 1); // at least one byte
  write32(w, o->response_bytes);
  write8(w, 0);                  // read uncommitted
  write32(w, 0), write32(w, -1); // no session
  write_uvarint(w, 2);
  write_compact_string(w, o->topic);
  write_uvarint(w, (uint32_t)wanted + 1);
  for (int i = 0; i < c->count; i++) {
    struct position *p = &c->positions[i];
    if (p->next >= p->end) continue;
    write32(w, p->partition), write32(w, -1), write64(w, p->next);
    write32(w, -1), write64(w, -1), write32(w, o->fetch_bytes);
    write_no_tags(w);
  }
  write_no_tags(w);
  write_uvarint(w, 1); // forgotten topics
  write_uvarint(w, 1); // rack: ""
  write_no_tags(w);
  end_request(w);
  c->sent = 0;
  c->asked_at = now;
}

static void lose(struct connection *c) {
  close(c->fd);
  c->fd = -1;
  result->connections_lost++;
}

static void send_request(struct connection *c) {
  while (c->sent < c->request.bytes) {
    ssize_t n = send(c->fd, c->request.data + c->sent, c->request.bytes - c->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n < 0) return lose(c);
    c->sent += (size_t)n;
  }
}

static void take_batches(const struct connection *c, struct position *p, const uint8_t *at, size_t bytes) {
  const uint8_t *end = at + bytes;
  while (end - at >= BATCH_HEADER_BYTES) {
    uint64_t size = 12 + (uint64_t)get32(at + BATCH_LENGTH);
    if (size > (uint64_t)(end - at)) break; // the answer's limit may cut off the last batch
    int64_t base = (int64_t)get64(at + BATCH_BASE_OFFSET);
    int64_t last = base + (int32_t)get32(at + BATCH_LAST_OFFSET_DELTA);
    // Only the first batch after a start in its middle may begin below the wanted offset.
    if (at[BATCH_MAGIC] != 2 || base > p->next || last < p->next) {
      if (result->chain_errors++ < 5)
        fprintf(stderr, "kload: partition %d: a batch of offsets %lld to %lld where %lld was due\n", p->partition,
                (long long)base, (long long)last, (long long)p->next);
      p->next = p->end; // what follows cannot be trusted
      return;
    }
    if (o->verify_crc && crc32c(0, at + BATCH_ATTRIBUTES, size - BATCH_ATTRIBUTES) != get32(at + BATCH_CRC))
      result->crc_errors++;
    p->next = last + 1;
    if (listener) listener(c->number, at, size, now);
    at += size;
    if (!measuring) continue;
    result->batches++;
    result->records += (uint64_t)(last - base + 1);
    result->bytes += size;
    result->interval_bytes += size;
  }
}

static struct position *find(struct connection *c, int partition) {
  for (int i = 0; i < c->count; i++)
    if (c->positions[i].partition == partition) return &c->positions[i];
  return NULL;
}

static bool take_answer(struct connection *c) {
  struct reader reader = {c->answer + 4, c->answer + c->received, false}, *r = &reader;
  if ((uint32_t)read32(r) != c->correlation) return false;
  skip_tags(r);
  read32(r); // throttle time
  int top = read16(r);
  if (top) result_error(result, top);
  read32(r); // session
  int32_t length;
  for (uint32_t topics = read_uvarint(r); topics > 1 && !r->bad; topics--) {
    read_compact_string(r, &length);
    for (uint32_t partitions = read_uvarint(r); partitions > 1 && !r->bad; partitions--) {
      struct position *p = find(c, read32(r));
      int error = read16(r);
      read_raw(r, 24); // high watermark, last stable offset, log start offset
      for (uint32_t aborted = read_uvarint(r); aborted > 1 && !r->bad; aborted--) {
        read_raw(r, 16);
        skip_tags(r);
      }
      read32(r); // preferred read replica
      int32_t bytes = read_compact_length(r);
      const uint8_t *records = bytes > 0 ? read_raw(r, (size_t)bytes) : NULL;
      skip_tags(r);
      if (!p) return false;
      if (error) {
        result_error(result, error);
        p->next = p->end;
      } else if (records) {
        take_batches(c, p, records, (size_t)bytes);
      }
    }
    skip_tags(r);
  }
  if (measuring) {
    result->requests++;
    result->wire_bytes += c->received;
    histogram_record(result->latency, now - c->asked_at);
    histogram_record(result->interval, now - c->asked_at);
  }
  return !r->bad;
}

static void on_readable(struct connection *c) {
  for (;;) {
    size_t wanted = c->received < 4 ? 4 : 4 + (size_t)get32(c->answer);
    if (c->received >= 4 && c->received == wanted) {
      now = now_ns();
      if (!take_answer(c)) {
        fprintf(stderr, "kload: a Fetch answer that cannot be understood\n");
        return lose(c);
      }
      c->received = 0;
      ask(c);
      if (!c->done) send_request(c);
      if (c->done || c->fd < 0) return;
      continue;
    }
    if (wanted > ANSWER_BYTES_MAX) return lose(c);
    if (wanted > c->capacity) {
      c->capacity = wanted + wanted / 4;
      c->answer = realloc(c->answer, c->capacity);
      if (!c->answer) die("out of memory");
    }
    ssize_t n = recv(c->fd, c->answer + c->received, wanted - c->received, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return lose(c);
    c->received += (size_t)n;
  }
}

static void open_connection(struct connection *c, int number, int epoll_fd, const struct share *share,
                            const struct cluster *cluster, const int64_t *from, const int64_t *to) {
  c->fd = connect_to(cluster->brokers[share->broker].host, cluster->brokers[share->broker].port);
  fcntl(c->fd, F_SETFL, O_NONBLOCK);
  c->number = number;
  c->count = share->count;
  c->positions = must_alloc((size_t)share->count * sizeof *c->positions);
  for (int i = 0; i < share->count; i++) {
    int p = share->partitions[i];
    c->positions[i] = (struct position){p, from[p], o->offset_latest || o->seconds > 0 ? INT64_MAX : to[p]};
  }
  c->capacity = 1 << 20;
  c->answer = must_alloc(c->capacity);
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void open_connections(const struct cluster *cluster, int epoll_fd) {
  int64_t from[o->partitions], *to = result->offsets = must_alloc((size_t)o->partitions * sizeof *to);
  list_offsets(o, cluster, o->offset_latest ? -1 : -2, from);
  list_offsets(o, cluster, -1, to);
  struct share *shares = share_out(o, cluster);
  connections = must_alloc((size_t)o->connections * sizeof *connections);
  for (int i = 0; i < o->connections; i++)
    open_connection(&connections[i], i, epoll_fd, &shares[i], cluster, from, to);
  now = now_ns();
}

static void on_event(struct connection *c) {
  if (c->fd >= 0 && !c->done) send_request(c);
  if (c->fd >= 0 && !c->done) on_readable(c);
}

void tail_open(const struct options *options, struct result *r, const struct cluster *cluster, int epoll_fd,
               batch_listener *on_batch) {
  o = options;
  result = r;
  listener = on_batch;
  open_connections(cluster, epoll_fd);
  for (int i = 0; i < o->connections; i++) {
    ask(&connections[i]);
    send_request(&connections[i]);
  }
}

bool tail_owns(const void *event_data) {
  const struct connection *c = event_data;
  return c >= connections && c < connections + o->connections;
}

void tail_on_event(void *event_data) {
  on_event(event_data);
}

void run_consume(const struct options *options, struct result *r) {
  o = options;
  result = r;
  struct cluster cluster;
  open_cluster(o, &cluster);
  int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  open_connections(&cluster, epoll_fd);
  int64_t measure_from = now + (int64_t)(o->warmup * 1e9);
  int64_t until = o->seconds > 0 ? measure_from + (int64_t)(o->seconds * 1e9) : INT64_MAX;
  if (o->warmup <= 0) measuring = true, result_begin(result, now);
  for (int i = 0; i < o->connections; i++) {
    ask(&connections[i]);
    send_request(&connections[i]);
  }
  struct epoll_event events[EVENTS_MAX];
  for (bool going = true; going;) {
    int count = wait_events(epoll_fd, events, EVENTS_MAX, 50000000);
    now = now_ns();
    if (!measuring && now >= measure_from) measuring = true, result_begin(result, now);
    if (measuring) result_tick(result, now);
    for (int i = 0; i < count; i++) on_event(events[i].data.ptr);
    going = now < until && (!o->bytes || (int64_t)result->bytes < o->bytes) && !result->connections_lost &&
            result->error_count <= o->errors_max;
    bool all_done = true;
    for (int i = 0; i < o->connections; i++) all_done &= connections[i].done;
    if (all_done) going = false;
  }
  if (!measuring) result_begin(result, now);
  result_end(result, now_ns());
}
