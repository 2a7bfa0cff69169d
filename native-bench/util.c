#define _GNU_SOURCE
#include "util.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static void say(const char *format, va_list arguments) {
  fflush(stdout);
  fprintf(stderr, "%s: ", program_invocation_short_name);
  vfprintf(stderr, format, arguments);
}

void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  fprintf(stderr, "\n");
  exit(1);
}

void die_errno(const char *format, ...) {
  int saved = errno;
  va_list arguments;
  va_start(arguments, format);
  say(format, arguments);
  fprintf(stderr, ": %s\n", strerror(saved));
  exit(1);
}

void *must_alloc(size_t bytes) {
  void *p = calloc(1, bytes ? bytes : 1);
  if (!p) die("out of memory (%zu bytes)", bytes);
  return p;
}

void *must_alloc_aligned(size_t bytes) {
  void *p = NULL;
  if (posix_memalign(&p, 4096, bytes)) die("out of memory (%zu bytes)", bytes);
  return p;
}

struct cpu_time cpu_time_self(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (struct cpu_time){u.ru_utime.tv_sec + u.ru_utime.tv_usec / 1e6, u.ru_stime.tv_sec + u.ru_stime.tv_usec / 1e6};
}

int64_t parse_bytes(const char *text, const char *what) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || value < 0) die("%s: '%s' is not a size (examples: 4096, 64k, 1m, 2g)", what, text);
  switch (*end | 0x20) {
  case 'k':
    value *= 1024, end++;
    break;
  case 'm':
    value *= 1024 * 1024, end++;
    break;
  case 'g':
    value *= 1024.0 * 1024 * 1024, end++;
    break;
  }
  if (*end) die("%s: '%s' is not a size (examples: 4096, 64k, 1m, 2g)", what, text);
  return (int64_t)value;
}

int64_t parse_int(const char *text, const char *what, int64_t low, int64_t high) {
  char *end;
  errno = 0;
  long long value = strtoll(text, &end, 10);
  if (end == text || *end || errno || value < low || value > high)
    die("%s: '%s' is not a whole number from %lld to %lld", what, text, (long long)low, (long long)high);
  return value;
}

double parse_double(const char *text, const char *what, double low, double high) {
  char *end;
  double value = strtod(text, &end);
  if (end == text || *end || !(value >= low && value <= high))
    die("%s: '%s' is not a number from %g to %g", what, text, low, high);
  return value;
}

uint64_t random_next(uint64_t *state) {
  uint64_t x = *state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  *state = x;
  return x * 0x2545F4914F6CDD1DULL;
}

void random_fill(uint8_t *to, size_t bytes, uint64_t *state) {
  for (; bytes >= 8; to += 8, bytes -= 8) {
    uint64_t r = random_next(state);
    memcpy(to, &r, 8);
  }
  uint64_t r = random_next(state);
  memcpy(to, &r, bytes);
}
