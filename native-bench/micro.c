// micro: single figures of this machine that explain the others. One line of JSON per figure.
#define _GNU_SOURCE
#include "crc32c.h"
#include "histogram.h"
#include "util.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *directory = ".";
static double seconds = 2;
static int64_t file_bytes = 256 << 20;

static int make_file(char *path, size_t path_bytes) {
  snprintf(path, path_bytes, "%s/micro-%d.dat", directory, getpid());
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) die_errno("cannot create %s", path);
  const size_t step = 1 << 20;
  uint8_t *data = must_alloc_aligned(step);
  uint64_t random = 1;
  random_fill(data, step, &random);
  for (int64_t at = 0; at < file_bytes; at += (int64_t)step)
    if (pwrite(fd, data, step, at) != (ssize_t)step) die_errno("writing %s", path);
  if (fsync(fd)) die_errno("fsync");
  free(data);
  return fd;
}

// pwrite + fdatasync one after the other over a file that is written and synced already: no allocation, no metadata.
static void measure_fdatasync(size_t bytes) {
  char path[4096];
  int fd = make_file(path, sizeof path);
  uint8_t *data = must_alloc_aligned(bytes);
  uint64_t random = 7;
  struct histogram *h = histogram_new();
  int64_t at = 0, until = now_ns() + (int64_t)(seconds * 1e9);
  while (now_ns() < until) {
    random_fill(data, bytes, &random);
    int64_t start = now_ns();
    if (pwrite(fd, data, bytes, at) != (ssize_t)bytes || fdatasync(fd)) die_errno("pwrite and fdatasync");
    histogram_record(h, now_ns() - start);
    at = at + 2 * (int64_t)bytes > file_bytes ? 0 : at + (int64_t)bytes;
  }
  printf("{\"micro\":\"fdatasync\",\"bytes\":%zu,\"latency_us\":", bytes);
  histogram_json(h, stdout);
  printf("}\n");
  close(fd);
  unlink(path);
  free(data);
}

static uint32_t ball, wake_stop;

static void futex(uint32_t *word, int operation, uint32_t value) {
  syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void pass_ball(uint32_t to) {
  __atomic_store_n(&ball, to, __ATOMIC_SEQ_CST);
  futex(&ball, FUTEX_WAKE, 1);
}

static void await_ball(uint32_t own) {
  for (uint32_t seen; (seen = __atomic_load_n(&ball, __ATOMIC_SEQ_CST)) != own;) futex(&ball, FUTEX_WAIT, seen);
}

static void *other_player(void *nothing) {
  for (;;) {
    await_ball(1);
    if (__atomic_load_n(&wake_stop, __ATOMIC_SEQ_CST)) return nothing;
    pass_ball(0);
  }
}

// Two sleeping threads wake each other: what handing work to a blocked thread and back costs at least.
static void measure_wake(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, other_player, NULL)) die("cannot start a thread");
  struct histogram *h = histogram_new();
  for (int64_t until = now_ns() + (int64_t)(seconds * 1e9), start; (start = now_ns()) < until;) {
    pass_ball(1);
    await_ball(0);
    histogram_record(h, now_ns() - start);
  }
  __atomic_store_n(&wake_stop, 1, __ATOMIC_SEQ_CST);
  pass_ball(1);
  pthread_join(thread, NULL);
  printf("{\"micro\":\"wake\",\"what\":\"futex round trip of two threads\",\"latency_us\":");
  histogram_json(h, stdout);
  printf("}\n");
}

static void send_file(int fd, int to) {
  const size_t step = 1 << 20;
  uint8_t *data = must_alloc_aligned(step);
  int64_t until = now_ns() + (int64_t)(seconds * 1e9);
  for (int64_t at = 0; now_ns() < until; at = at + 2 * (int64_t)step > file_bytes ? 0 : at + (int64_t)step) {
    ssize_t n = pread(fd, data, step, at);
    if (n <= 0) die_errno("pread");
    for (ssize_t sent = 0, m; sent < n; sent += m)
      if ((m = send(to, data + sent, (size_t)(n - sent), MSG_NOSIGNAL)) < 0) die_errno("send");
  }
}

// A process that preads 1 MiB pieces from the page cache and sends them, another that only receives, over loopback.
static void measure_pread_send(void) {
  char path[4096];
  int fd = make_file(path, sizeof path);
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t to_bytes = sizeof to;
  if (bind(listener, (struct sockaddr *)&to, to_bytes) || listen(listener, 1)) die_errno("listen");
  getsockname(listener, (struct sockaddr *)&to, &to_bytes);
  fflush(stdout);
  pid_t sender = fork();
  if (sender < 0) die_errno("fork");
  if (!sender) {
    int socket_fd = accept(listener, NULL, NULL);
    send_file(fd, socket_fd);
    close(socket_fd);
    _exit(0);
  }
  int from = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(from, (struct sockaddr *)&to, sizeof to)) die_errno("connect");
  uint8_t *data = must_alloc_aligned(1 << 20);
  int64_t start = now_ns(), bytes = 0;
  for (ssize_t n; (n = recv(from, data, 1 << 20, 0)) > 0;) bytes += n;
  double took = (double)(now_ns() - start) / 1e9;
  waitpid(sender, NULL, 0);
  printf("{\"micro\":\"pread-send\",\"piece_bytes\":%d,\"mb_per_s\":%.1f}\n", 1 << 20, (double)bytes / 1e6 / took);
  close(from), close(listener), close(fd);
  unlink(path);
}

// Over 64 MiB, so from memory, and over 64 KiB, so from the caches.
static void measure_memory(const char *name, bool copy, size_t bytes, uint32_t (*sum)(uint32_t, const void *, size_t)) {
  uint8_t *data = must_alloc_aligned(bytes), *other = must_alloc_aligned(bytes);
  uint64_t random = 3, done = 0;
  random_fill(data, bytes, &random);
  memset(other, 1, bytes);
  volatile uint32_t sink = 0;
  int64_t start = now_ns(), until = start + (int64_t)(seconds * 1e9 / 2);
  while (now_ns() < until) {
    if (copy) {
      memcpy(other, data, bytes);
      sink += other[done % bytes];
    } else {
      sink += sum(0, data, bytes);
    }
    done += bytes;
  }
  printf("{\"micro\":\"%s\",\"bytes\":%zu,\"gb_per_s\":%.2f}\n", name, bytes,
         (double)done / (double)(now_ns() - start));
  free(data), free(other);
}

// Makes the machine really have the memory it says it has free: a virtual machine may have given it back to its host, and
// the first to use it again would pay.
static void touch_memory(void) {
  int64_t start = now_ns();
  char *memory = mmap(NULL, file_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) die_errno("mmap");
  for (int64_t at = 0; at < file_bytes; at += 4096) memory[at] = 1;
  munmap(memory, file_bytes);
  printf("{\"micro\":\"touch\",\"bytes\":%zu,\"ms\":%.1f}\n", (size_t)file_bytes, (double)(now_ns() - start) / 1e6);
}

static void usage(FILE *out) {
  fprintf(out, "micro: single figures of this machine, one line of JSON each\n\n"
               "usage: micro [--dir D] [--seconds S] [--file-bytes SIZE] [FIGURE ...]\n\n"
               "figures (default: all)\n"
               "  fdatasync    pwrite + fdatasync on a pre-written file in D, 4 KiB and 64 KiB\n"
               "  wake         round trip between two threads that sleep on a futex\n"
               "  pread-send   1 MiB preads from the page cache, sent over loopback to a reader\n"
               "  crc32c       GB/s, hardware and software, 64 KiB (caches) and 64 MiB (memory)\n"
               "  memcpy       GB/s, the same sizes\n"
               "  touch        only if named: how long it takes to use --file-bytes of memory once\n\n"
               "example: micro --dir /var/tmp --seconds 1 fdatasync wake\n");
}

static void run(const char *figure) {
  static const size_t sizes[] = {64 << 10, 64 << 20};
  if (!strcmp(figure, "fdatasync")) {
    measure_fdatasync(4 << 10);
    measure_fdatasync(64 << 10);
  } else if (!strcmp(figure, "wake")) {
    measure_wake();
  } else if (!strcmp(figure, "pread-send")) {
    measure_pread_send();
  } else if (!strcmp(figure, "crc32c")) {
    for (int i = 0; i < 2; i++) measure_memory("crc32c", false, sizes[i], crc32c);
    measure_memory("crc32c-software", false, sizes[0], crc32c_software);
  } else if (!strcmp(figure, "touch")) {
    touch_memory();
  } else if (!strcmp(figure, "memcpy")) {
    for (int i = 0; i < 2; i++) measure_memory("memcpy", true, sizes[i], NULL);
  } else {
    die("no figure '%s'; micro --help lists them", figure);
  }
}

int main(int argc, char **argv) {
  static const char *all[] = {"fdatasync", "wake", "pread-send", "crc32c", "memcpy"};
  int named = 0;
  for (int i = 1; i < argc; i++) {
    bool has_value = i + 1 < argc;
    if (!strcmp(argv[i], "--help")) return usage(stdout), 0;
    if (!strcmp(argv[i], "--dir") && has_value)
      directory = argv[++i];
    else if (!strcmp(argv[i], "--seconds") && has_value)
      seconds = parse_double(argv[++i], "--seconds", 0.01, 1000);
    else if (!strcmp(argv[i], "--file-bytes") && has_value)
      file_bytes = parse_bytes(argv[++i], "--file-bytes");
    else
      run(argv[i]), named++;
  }
  if (file_bytes < 1 << 20) die("--file-bytes: at least 1m");
  for (size_t i = 0; !named && i < sizeof all / sizeof *all; i++) run(all[i]);
  return 0;
}
