// floor: what this machine can do. A single-threaded C/epoll server that does the least a log broker must do for a
// produce request: receive, check the CRC32C of each batch, append its bytes to a file straight from the receive
// buffer, optionally fdatasync once per group, answer. One epoll round is a group, so while the disk syncs the next
// group gathers in the sockets: no timer is needed, as in ringlog.
//
// It serves the versions that kload speaks and no others, keeps no topics, and loses everything at exit.
#define _GNU_SOURCE
#include "floor_answers.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX 1024
#define RECEIVE_BYTES (512 << 10) // per connection; grows to the largest frame that comes
#define RECEIVE_BYTES_MIN (64 << 10)
#define FRAME_BYTES_MAX (100 << 20)

struct connection {
  int fd;
  uint8_t *in;
  size_t in_capacity, in_start, in_end; // unread bytes are in[in_start, in_end)
  struct writer out;
  size_t out_sent;
  bool pending;   // the group refers to bytes in `in`, or `out` waits for the group's sync
  bool wants_out; // the socket is full
};

static struct store store;
static struct floor_address address = {"127.0.0.1", 9092};
static int epoll_fd;
static struct connection *pending[EVENTS_MAX];
static int pending_count;
static volatile sig_atomic_t stopping;

static void watch(struct connection *c, int operation) {
  // Whoever does not take its answers is not read from: the floor holds one answer per connection at most.
  struct epoll_event event = {.events = c->wants_out ? EPOLLOUT : EPOLLIN, .data.ptr = c};
  if (epoll_ctl(epoll_fd, operation, c->fd, &event)) die_errno("epoll_ctl");
}

static void close_connection(struct connection *c) {
  close(c->fd);
  free(c->in);
  free(c->out.data);
  free(c);
}

// False: the connection is gone (and must be closed).
static bool send_answers(struct connection *c) {
  while (c->out_sent < c->out.bytes) {
    ssize_t n = send(c->fd, c->out.data + c->out_sent, c->out.bytes - c->out_sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) return false;
    c->out_sent += (size_t)n;
  }
  bool blocked = c->out_sent < c->out.bytes;
  if (!blocked) c->out.bytes = c->out_sent = 0;
  if (blocked != c->wants_out) {
    c->wants_out = blocked;
    watch(c, EPOLL_CTL_MOD);
  }
  return true;
}

static void finish_group(void) {
  store_flush(&store);
  for (int i = 0; i < pending_count; i++) {
    struct connection *c = pending[i];
    c->pending = false;
    if (!send_answers(c)) shutdown(c->fd, SHUT_RDWR); // the next epoll round reads its end and closes it
  }
  pending_count = 0;
}

static void make_room(struct connection *c) {
  size_t held = c->in_end - c->in_start;
  size_t wanted = RECEIVE_BYTES_MIN;
  if (held >= 4) { // room for all of a frame whose size is known
    size_t frame = 4 + (size_t)get32(c->in + c->in_start);
    if (frame > held && frame - held > wanted) wanted = frame - held;
  }
  if (c->in_capacity - c->in_end >= wanted) return;
  // Moving the tail of a frame to the front is the floor's only copy of payload: about 32 KiB per 512 KiB received.
  memmove(c->in, c->in + c->in_start, held);
  c->in_start = 0;
  c->in_end = held;
  if (c->in_capacity - held >= wanted) return;
  c->in_capacity = held + wanted;
  c->in = realloc(c->in, c->in_capacity);
  if (!c->in) die("out of memory for a receive buffer");
}

// Answers every complete frame in the buffer. False: nonsense or an oversized frame.
static bool take_frames(struct connection *c) {
  while (c->in_end - c->in_start >= 4) {
    size_t bytes = get32(c->in + c->in_start);
    if (bytes > FRAME_BYTES_MAX) return false;
    if (c->in_end - c->in_start - 4 < bytes) break;
    if (!answer_request(&store, &address, c->in + c->in_start + 4, bytes, &c->out)) return false;
    c->in_start += 4 + bytes;
    if (!c->pending) {
      c->pending = true;
      pending[pending_count++] = c;
    }
    if (store_group_full(&store)) finish_group();
    if (c->wants_out) break; // the rest waits in the buffer until the answer has gone
  }
  return true;
}

static void on_ready(struct connection *c, uint32_t events) {
  if (c->wants_out) {
    if (!send_answers(c)) return close_connection(c);
    if (c->wants_out || !(events & (EPOLLIN | EPOLLOUT))) return;
    if (take_frames(c)) return;
    if (c->pending) finish_group();
    return close_connection(c);
  }
  // Once a round per connection, and the last round's group is finished: nothing refers to the buffer now.
  if (c->in_start == c->in_end) c->in_start = c->in_end = 0;
  make_room(c);
  ssize_t n = recv(c->fd, c->in + c->in_end, c->in_capacity - c->in_end, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) {
    c->in_end += (size_t)n;
    if (take_frames(c)) return;
    fprintf(stderr, "floor: closing a connection that sent what the floor does not serve\n");
  }
  if (c->pending) finish_group();
  close_connection(c);
}

static void on_accept(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct connection *c = must_alloc(sizeof *c);
  c->fd = fd;
  c->in_capacity = RECEIVE_BYTES;
  c->in = must_alloc_aligned(RECEIVE_BYTES);
  watch(c, EPOLL_CTL_ADD);
}

static int listen_on(int port) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(fd, (struct sockaddr *)&to, sizeof to) || listen(fd, 4096)) die_errno("cannot listen on port %d", port);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
  return fd;
}

static void on_stop_signal(int signal_number) {
  (void)signal_number;
  stopping = 1;
}

static void usage(FILE *out) {
  fprintf(out,
          "floor: a C/epoll server that does the least a log broker must do for Kafka produce requests\n\n"
          "usage: floor --dir D [options]\n\n"
          "  --port N              listen on 127.0.0.1:N (default 9092)\n"
          "  --dir D               write the files into folder D, which exists (overwrites floor-*.dat there)\n"
          "  --partitions N        partitions, a file each (default 4)\n"
          "  --files KIND          growing: new, empty files (default)\n"
          "                        prewritten: written with zeros and synced first, then overwritten once\n"
          "  --bytes-per-file SIZE size of pre-written files (default 1g); a full one refuses with error 56\n"
          "  --single-file         all partitions' bytes into one file: one fdatasync per group\n"
          "  --sync KIND           none: answer after write() (default)\n"
          "                        group: answer after an fdatasync of each file that the group wrote\n"
          "  --wrap                a full pre-written file starts again at its beginning\n"
          "  --cold                drop the pre-written files from the page cache first\n"
          "  --help                this text\n\n"
          "Prints 'ready PORT' once it listens; on SIGTERM or SIGINT prints what it did as one line of JSON.\n\n"
          "examples:\n"
          "  floor --dir /tmp/f --sync none                                     fresh, as page-cache topics\n"
          "  floor --dir /tmp/f --files prewritten --bytes-per-file 512m --sync group    steady, as fsync topics\n"
          "  floor --dir /tmp/f --files prewritten --single-file --sync group   small requests, as fsync topics\n");
}

enum {
  OPT_PORT = 256,
  OPT_DIR,
  OPT_PARTITIONS,
  OPT_FILES,
  OPT_BYTES,
  OPT_SINGLE,
  OPT_SYNC,
  OPT_WRAP,
  OPT_COLD,
  OPT_HELP
};

static void parse_options(int argc, char **argv, struct store_options *o) {
  static const struct option names[] = {{"port", 1, 0, OPT_PORT},
                                        {"dir", 1, 0, OPT_DIR},
                                        {"partitions", 1, 0, OPT_PARTITIONS},
                                        {"files", 1, 0, OPT_FILES},
                                        {"bytes-per-file", 1, 0, OPT_BYTES},
                                        {"single-file", 0, 0, OPT_SINGLE},
                                        {"sync", 1, 0, OPT_SYNC},
                                        {"wrap", 0, 0, OPT_WRAP},
                                        {"cold", 0, 0, OPT_COLD},
                                        {"help", 0, 0, OPT_HELP},
                                        {0, 0, 0, 0}};
  for (int option; (option = getopt_long(argc, argv, "", names, NULL)) != -1;) switch (option) {
    case OPT_PORT:
      address.port = (int)parse_int(optarg, "--port", 1, 65535);
      break;
    case OPT_DIR:
      o->directory = optarg;
      break;
    case OPT_PARTITIONS:
      o->partitions = (uint32_t)parse_int(optarg, "--partitions", 1, 100000);
      break;
    case OPT_FILES:
      if (strcmp(optarg, "growing") && strcmp(optarg, "prewritten")) die("--files is growing or prewritten");
      o->prewritten = *optarg == 'p';
      break;
    case OPT_BYTES:
      o->bytes_per_file = parse_bytes(optarg, "--bytes-per-file");
      break;
    case OPT_SINGLE:
      o->single_file = true;
      break;
    case OPT_SYNC:
      if (strcmp(optarg, "none") && strcmp(optarg, "group")) die("--sync is none or group");
      o->sync = *optarg == 'g';
      break;
    case OPT_WRAP:
      o->wrap = true;
      break;
    case OPT_COLD:
      o->cold = true;
      break;
    case OPT_HELP:
      usage(stdout);
      exit(0);
    default:
      fprintf(stderr, "floor --help shows the options\n");
      exit(2);
    }
  if (optind < argc) die("unexpected '%s'; floor --help shows the options", argv[optind]);
  if (!o->directory) die("--dir is missing; floor --help shows the options");
}

int main(int argc, char **argv) {
  struct store_options options = {.partitions = 4, .bytes_per_file = 1 << 30};
  parse_options(argc, argv, &options);
  struct sigaction action = {.sa_handler = on_stop_signal};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  store_open(&store, &options);
  int listener = listen_on(address.port);
  printf("ready %d\n", address.port);
  fflush(stdout);
  static struct epoll_event events[EVENTS_MAX];
  while (!stopping) {
    int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr)
        on_ready(events[i].data.ptr, events[i].events);
      else
        on_accept(listener);
    }
    finish_group();
  }
  store_report(&store, stdout);
  return 0;
}
