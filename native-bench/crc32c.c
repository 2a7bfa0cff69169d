// Hardware: three independent streams of the crc32 instruction hide its latency of 3 cycles; their results are joined
// by multiplying with x^(8*bytes) mod P, which is linear and so a table of 4 x 256 words per distance.
// Software (no SSE 4.2): eight bytes a step by tables.
#include "crc32c.h"
#include <string.h>

#define POLYNOMIAL 0x82f63b78u // reflected
#define LONG_BLOCK 4096u
#define SHORT_BLOCK 256u

static uint32_t byte_table[8][256];
static uint32_t long_shift[4][256], short_shift[4][256];
static int has_hardware;

static uint32_t software_state(uint32_t state, const uint8_t *p, size_t n) {
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    word ^= state;
    state = byte_table[7][word & 255] ^ byte_table[6][word >> 8 & 255] ^ byte_table[5][word >> 16 & 255] ^
            byte_table[4][word >> 24 & 255] ^ byte_table[3][word >> 32 & 255] ^ byte_table[2][word >> 40 & 255] ^
            byte_table[1][word >> 48 & 255] ^ byte_table[0][word >> 56];
  }
  while (n--) state = state >> 8 ^ byte_table[0][(state ^ *p++) & 255];
  return state;
}

static void fill_shift(uint32_t table[4][256], size_t distance) {
  static const uint8_t zeros[256];
  for (int byte = 0; byte < 4; byte++)
    for (uint32_t value = 0; value < 256; value++) {
      uint32_t state = value << (8 * byte);
      for (size_t left = distance; left;) {
        size_t step = left < sizeof zeros ? left : sizeof zeros;
        state = software_state(state, zeros, step);
        left -= step;
      }
      table[byte][value] = state;
    }
}

__attribute__((constructor)) static void fill_tables(void) {
  for (uint32_t n = 0; n < 256; n++) {
    uint32_t state = n;
    for (int bit = 0; bit < 8; bit++) state = state & 1 ? state >> 1 ^ POLYNOMIAL : state >> 1;
    byte_table[0][n] = state;
  }
  for (uint32_t n = 0; n < 256; n++)
    for (int k = 1; k < 8; k++)
      byte_table[k][n] = byte_table[k - 1][n] >> 8 ^ byte_table[0][byte_table[k - 1][n] & 255];
#if defined(__x86_64__)
  __builtin_cpu_init();
  has_hardware = __builtin_cpu_supports("sse4.2") != 0;
#endif
  if (has_hardware) fill_shift(long_shift, LONG_BLOCK), fill_shift(short_shift, SHORT_BLOCK);
}

#if defined(__x86_64__)
static inline uint32_t shift(uint32_t table[4][256], uint32_t state) {
  return table[0][state & 255] ^ table[1][state >> 8 & 255] ^ table[2][state >> 16 & 255] ^ table[3][state >> 24];
}

__attribute__((target("sse4.2"))) static inline const uint8_t *three_streams(uint64_t *state, const uint8_t *p,
                                                                             size_t block, uint32_t table[4][256]) {
  uint64_t a = *state, b = 0, c = 0;
  for (const uint8_t *end = p + block; p < end; p += 8) {
    uint64_t x, y, z;
    memcpy(&x, p, 8), memcpy(&y, p + block, 8), memcpy(&z, p + 2 * block, 8);
    a = __builtin_ia32_crc32di(a, x), b = __builtin_ia32_crc32di(b, y), c = __builtin_ia32_crc32di(c, z);
  }
  *state = shift(table, shift(table, (uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
  return p + 2 * block;
}

__attribute__((target("sse4.2"))) static uint32_t hardware_state(uint32_t start, const uint8_t *p, size_t n) {
  uint64_t state = start;
  for (; n >= 3 * LONG_BLOCK; n -= 3 * LONG_BLOCK) p = three_streams(&state, p, LONG_BLOCK, long_shift);
  for (; n >= 3 * SHORT_BLOCK; n -= 3 * SHORT_BLOCK) p = three_streams(&state, p, SHORT_BLOCK, short_shift);
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    state = __builtin_ia32_crc32di(state, word);
  }
  uint32_t tail = (uint32_t)state;
  while (n--) tail = __builtin_ia32_crc32qi(tail, *p++);
  return tail;
}
#endif

uint32_t crc32c_raw(uint32_t state, const void *data, size_t bytes) {
#if defined(__x86_64__)
  if (has_hardware) return hardware_state(state, data, bytes);
#endif
  return software_state(state, data, bytes);
}

uint32_t crc32c(uint32_t crc, const void *data, size_t bytes) {
  return ~crc32c_raw(~crc, data, bytes);
}

uint32_t crc32c_software(uint32_t crc, const void *data, size_t bytes) {
  return ~software_state(~crc, data, bytes);
}

const char *crc32c_kind(void) {
  return has_hardware ? "sse4.2, three streams" : "software, eight bytes a step";
}
