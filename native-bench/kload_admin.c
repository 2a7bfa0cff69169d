// The few requests around a run: one blocking connection each, nothing here is measured.
#define _GNU_SOURCE
#include "kload.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (64u << 20)
#define LEADER_WAIT_NS (30 * NS_PER_SECOND)

int connect_to(const char *host, int port) {
  char service[16];
  snprintf(service, sizeof service, "%d", port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
  int failure = getaddrinfo(host, service, &hints, &list);
  if (failure) die("cannot resolve %s: %s", host, gai_strerror(failure));
  int fd = -1, reason = 0;
  for (struct addrinfo *a = list; a; a = a->ai_next) {
    fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !connect(fd, a->ai_addr, a->ai_addrlen)) break;
    reason = errno;
    if (fd >= 0) close(fd);
    fd = -1;
  }
  freeaddrinfo(list);
  if (fd < 0) die("cannot connect to %s:%d: %s (is the broker running?)", host, port, strerror(reason));
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static void read_fully(int fd, uint8_t *to, size_t bytes) {
  while (bytes) {
    ssize_t n = recv(fd, to, bytes, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die_errno("waiting for an answer");
    if (n == 0) die("the broker closed the connection instead of answering (does it know this request version?)");
    to += n;
    bytes -= (size_t)n;
  }
}

// Sends the request in `w` and leaves the answer in it; gives a reader past the header.
static struct reader call(int fd, struct writer *w, bool tagged_header) {
  end_request(w);
  uint32_t correlation = get32(w->data + 8);
  for (size_t sent = 0; sent < w->bytes;) {
    ssize_t n = send(fd, w->data + sent, w->bytes - sent, MSG_NOSIGNAL);
    if (n < 0) die_errno("sending a request");
    sent += (size_t)n;
  }
  uint8_t size[4];
  read_fully(fd, size, 4);
  uint32_t bytes = get32(size);
  if (bytes > ANSWER_BYTES_MAX) die("an answer of %u bytes: is this a Kafka port?", bytes);
  w->bytes = 0;
  write_space(w, bytes);
  read_fully(fd, w->data, bytes);
  struct reader r = {w->data, w->data + bytes, false};
  if ((uint32_t)read32(&r) != correlation) die("the answer is not to the request that was sent");
  if (tagged_header) skip_tags(&r);
  return r;
}

int64_t init_producer_id(int fd) {
  struct writer w = {0};
  begin_request(&w, API_INIT_PRODUCER_ID, VERSION_INIT_PRODUCER_ID, 1, CLIENT_ID);
  write_compact_string(&w, NULL); // no transactional id
  write32(&w, 0);
  write_no_tags(&w);
  struct reader r = call(fd, &w, true);
  read32(&r); // throttle time
  int error = read16(&r);
  int64_t id = read64(&r);
  if (error || r.bad) die("InitProducerId: error %d %s", error, error_name(error));
  free(w.data);
  return id;
}

static void check_versions(int fd) {
  static const struct {
    int16_t key, version;
    const char *name;
  } needed[] = {{API_PRODUCE, VERSION_PRODUCE, "Produce"},
                {API_FETCH, VERSION_FETCH, "Fetch"},
                {API_METADATA, VERSION_METADATA, "Metadata"},
                {API_LIST_OFFSETS, VERSION_LIST_OFFSETS, "ListOffsets"},
                {API_CREATE_TOPICS, VERSION_CREATE_TOPICS, "CreateTopics"}};
  struct writer w = {0};
  begin_request(&w, API_API_VERSIONS, VERSION_API_VERSIONS, 1, CLIENT_ID);
  write_compact_string(&w, CLIENT_ID);
  write_compact_string(&w, "1.0");
  write_no_tags(&w);
  struct reader r = call(fd, &w, false);
  int error = read16(&r);
  if (error) die("ApiVersions: error %d %s", error, error_name(error));
  bool found[sizeof needed / sizeof *needed] = {false};
  for (uint32_t count = read_uvarint(&r); count > 1 && !r.bad; count--) {
    int key = read16(&r), low = read16(&r), high = read16(&r);
    skip_tags(&r);
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
      if (needed[i].key == key && needed[i].version >= low && needed[i].version <= high) found[i] = true;
  }
  for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
    if (!found[i]) die("the broker does not serve %s version %d", needed[i].name, needed[i].version);
  free(w.data);
}

// Fills `c` from Metadata; an error code if topic or leaders are not there (yet).
static int read_metadata(const struct options *o, int fd, struct cluster *c) {
  struct writer w = {0};
  begin_request(&w, API_METADATA, VERSION_METADATA, 2, CLIENT_ID);
  write_uvarint(&w, 2);
  write_compact_string(&w, o->topic);
  write_no_tags(&w);
  write8(&w, 0), write8(&w, 0), write8(&w, 0); // no auto-creation, no authorized operations
  write_no_tags(&w);
  struct reader r = call(fd, &w, true);
  read32(&r); // throttle time
  c->broker_count = (int)read_uvarint(&r) - 1;
  if (r.bad || c->broker_count < 1 || c->broker_count > 10000) die("Metadata names no broker");
  c->brokers = must_alloc((size_t)c->broker_count * sizeof *c->brokers);
  for (int i = 0; i < c->broker_count; i++) {
    int32_t length;
    c->brokers[i].id = read32(&r);
    const uint8_t *host = read_compact_string(&r, &length);
    if (r.bad || length <= 0 || length >= (int)sizeof c->brokers[i].host) die("Metadata: a broker without host");
    memcpy(c->brokers[i].host, host, (size_t)length);
    c->brokers[i].port = read32(&r);
    read_compact_string(&r, &length);
    skip_tags(&r);
  }
  int32_t length;
  read_compact_string(&r, &length); // cluster id
  read32(&r);                       // controller
  if (read_uvarint(&r) != 2) die("Metadata does not answer for topic %s", o->topic);
  int error = read16(&r);
  read_compact_string(&r, &length);
  read8(&r);
  int count = (int)read_uvarint(&r) - 1;
  if (!error && count != o->partitions)
    die("topic %s has %d partitions, not %d (--partitions)", o->topic, count, o->partitions);
  c->leader = must_alloc((size_t)o->partitions * sizeof *c->leader);
  for (int i = 0; i < count && !r.bad; i++) {
    int partition_error = read16(&r), index = read32(&r), leader = read32(&r);
    read32(&r); // leader epoch
    for (int list = 0; list < 3; list++) read_raw(&r, 4 * (size_t)(read_uvarint(&r) - 1));
    skip_tags(&r);
    if (partition_error && !error) error = partition_error;
    int broker = 0;
    while (broker < c->broker_count && c->brokers[broker].id != leader) broker++;
    if (broker == c->broker_count && !error) error = 5;
    if (index >= 0 && index < o->partitions) c->leader[index] = broker;
  }
  if (r.bad) die("Metadata: the answer cannot be understood");
  free(w.data);
  return error;
}

// Gives the topic's error code.
static int request_creation(const struct options *o, int fd) {
  struct writer w = {0};
  begin_request(&w, API_CREATE_TOPICS, VERSION_CREATE_TOPICS, 3, CLIENT_ID);
  write_uvarint(&w, 2);
  write_compact_string(&w, o->topic);
  write32(&w, o->partitions);
  write16(&w, -1);      // replication factor: the broker's default
  write_uvarint(&w, 1); // no assignments
  write_uvarint(&w, (uint32_t)o->config_count + 1);
  for (int i = 0; i < o->config_count; i++) {
    const char *equals = strchr(o->configs[i], '=');
    write_compact_bytes(&w, (const uint8_t *)o->configs[i], (size_t)(equals - o->configs[i]));
    write_compact_string(&w, equals + 1);
    write_no_tags(&w);
  }
  write_no_tags(&w);
  write32(&w, 60000);
  write8(&w, 0);
  write_no_tags(&w);
  struct reader r = call(fd, &w, true);
  read32(&r);
  read_uvarint(&r);
  int32_t length;
  read_compact_string(&r, &length);
  int error = read16(&r);
  const uint8_t *message = read_compact_string(&r, &length);
  if (r.bad) die("CreateTopics: the answer cannot be understood");
  if (error && error != 36)
    die("cannot create topic %s: error %d %s%s%.*s", o->topic, error, error_name(error), length > 0 ? ": " : "",
        length > 0 ? length : 0, length > 0 ? (const char *)message : "");
  free(w.data);
  return error;
}

void create_topic(const struct options *o) {
  int fd = connect_to(o->host, o->port);
  check_versions(fd);
  if (request_creation(o, fd) == 36) die("topic %s already exists", o->topic);
  close(fd);
  struct cluster c;
  open_cluster(o, &c); // until every partition has a leader
}

void delete_topic(const struct options *o) {
  int fd = connect_to(o->host, o->port);
  struct writer w = {0};
  begin_request(&w, API_DELETE_TOPICS, VERSION_DELETE_TOPICS, 4, CLIENT_ID);
  write_uvarint(&w, 2);
  write_compact_string(&w, o->topic);
  write32(&w, 60000);
  write_no_tags(&w);
  struct reader r = call(fd, &w, true);
  read32(&r);
  read_uvarint(&r);
  int32_t length;
  read_compact_string(&r, &length);
  int error = read16(&r);
  if (r.bad || error) die("cannot delete topic %s: error %d %s", o->topic, error, error_name(error));
  free(w.data);
  close(fd);
}

void open_cluster(const struct options *o, struct cluster *c) {
  int fd = connect_to(o->host, o->port);
  check_versions(fd);
  int64_t until = now_ns() + LEADER_WAIT_NS;
  for (int error; (error = read_metadata(o, fd, c)) != 0;) {
    if (error == 3 && o->mode != MODE_CONSUME)
      request_creation(o, fd);
    else if (error == 3)
      die("there is no topic %s", o->topic);
    else if (error != 5 && error != 6)
      die("topic %s: error %d %s", o->topic, error, error_name(error));
    if (now_ns() > until) die("topic %s has no leader after 30 s: error %d %s", o->topic, error, error_name(error));
    usleep(20000);
  }
  close(fd);
}

void list_offsets(const struct options *o, const struct cluster *c, int64_t timestamp, int64_t *offsets) {
  for (int b = 0; b < c->broker_count; b++) {
    int count = 0;
    for (int p = 0; p < o->partitions; p++) count += c->leader[p] == b;
    if (!count) continue;
    int fd = connect_to(c->brokers[b].host, c->brokers[b].port);
    struct writer w = {0};
    begin_request(&w, API_LIST_OFFSETS, VERSION_LIST_OFFSETS, 5, CLIENT_ID);
    write32(&w, -1);
    write8(&w, 0);
    write_uvarint(&w, 2);
    write_compact_string(&w, o->topic);
    write_uvarint(&w, (uint32_t)count + 1);
    for (int p = 0; p < o->partitions; p++) {
      if (c->leader[p] != b) continue;
      write32(&w, p), write32(&w, -1), write64(&w, timestamp);
      write_no_tags(&w);
    }
    write_no_tags(&w);
    write_no_tags(&w);
    struct reader r = call(fd, &w, true);
    int32_t length;
    read32(&r);
    read_uvarint(&r);
    read_compact_string(&r, &length);
    for (uint32_t left = read_uvarint(&r); left > 1 && !r.bad; left--) {
      int index = read32(&r), error = read16(&r);
      read64(&r);
      int64_t offset = read64(&r);
      read32(&r);
      skip_tags(&r);
      if (error) die("ListOffsets of partition %d: error %d %s", index, error, error_name(error));
      if (index >= 0 && index < o->partitions) offsets[index] = offset;
    }
    if (r.bad) die("ListOffsets: the answer cannot be understood");
    free(w.data);
    close(fd);
  }
}

struct share *share_out(const struct options *o, const struct cluster *c) {
  int brokers_used = 0, rank[c->broker_count], members[c->broker_count];
  for (int b = 0; b < c->broker_count; b++) {
    bool used = false;
    for (int p = 0; p < o->partitions; p++) used |= c->leader[p] == b;
    rank[b] = used ? brokers_used++ : -1;
  }
  if (o->connections < brokers_used)
    die("%d brokers lead partitions: --connections must be at least that", brokers_used);
  struct share *shares = must_alloc((size_t)o->connections * sizeof *shares);
  for (int b = 0; b < c->broker_count; b++) {
    if (rank[b] < 0) continue;
    int list[o->partitions], count = 0;
    for (int p = 0; p < o->partitions; p++)
      if (c->leader[p] == b) list[count++] = p;
    members[b] = (o->connections - rank[b] + brokers_used - 1) / brokers_used;
    for (int m = 0; m < members[b]; m++) {
      struct share *s = &shares[rank[b] + m * brokers_used];
      s->broker = b;
      s->partitions = must_alloc((size_t)count * sizeof *s->partitions);
      // With more connections than partitions several write to the same one; else each partition has one connection.
      if (o->fan_out)
        memcpy(s->partitions, list, (size_t)(s->count = count) * sizeof *list);
      else if (members[b] >= count)
        s->partitions[s->count++] = list[m % count];
      else
        for (int i = m; i < count; i += members[b]) s->partitions[s->count++] = list[i];
    }
  }
  return shares;
}
