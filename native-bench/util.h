// What every program here needs: the clock, dying with a reason, big-endian fields, CPU time.
#ifndef RINGLOG_UTIL_H
#define RINGLOG_UTIL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#define NS_PER_SECOND 1000000000LL

static inline int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

static inline void put16(uint8_t *p, uint16_t v) {
  v = __builtin_bswap16(v);
  memcpy(p, &v, 2);
}
static inline void put32(uint8_t *p, uint32_t v) {
  v = __builtin_bswap32(v);
  memcpy(p, &v, 4);
}
static inline void put64(uint8_t *p, uint64_t v) {
  v = __builtin_bswap64(v);
  memcpy(p, &v, 8);
}
static inline uint16_t get16(const uint8_t *p) {
  uint16_t v;
  memcpy(&v, p, 2);
  return __builtin_bswap16(v);
}
static inline uint32_t get32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return __builtin_bswap32(v);
}
static inline uint64_t get64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, 8);
  return __builtin_bswap64(v);
}

// Prints "program: message" and, where errno says something, its text; exits with 1.
void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void die_errno(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void *must_alloc(size_t bytes);
void *must_alloc_aligned(size_t bytes); // 4 KiB aligned

struct cpu_time {
  double user, system;
};
struct cpu_time cpu_time_self(void);

// "4096", "64k", "1m", "2g": binary multiples. Dies naming `what` if it is not a number.
int64_t parse_bytes(const char *text, const char *what);
int64_t parse_int(const char *text, const char *what, int64_t low, int64_t high);
double parse_double(const char *text, const char *what, double low, double high);

uint64_t random_next(uint64_t *state); // xorshift64*; never call with state 0
void random_fill(uint8_t *to, size_t bytes, uint64_t *state);
#endif
