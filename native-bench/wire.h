// Reading and writing Kafka messages: bounds-checked, big-endian, flexible ("compact") encodings only, since every
// version that these programs speak is a flexible one.
#ifndef RINGLOG_WIRE_H
#define RINGLOG_WIRE_H
#include "util.h"

enum {
  API_PRODUCE = 0,
  API_FETCH = 1,
  API_LIST_OFFSETS = 2,
  API_METADATA = 3,
  API_API_VERSIONS = 18,
  API_CREATE_TOPICS = 19,
  API_DELETE_TOPICS = 20,
  API_INIT_PRODUCER_ID = 22
};

// One version of each API, chosen so that Apache Kafka 4.x, ringlog and the floor all speak it; topics go by name.
enum {
  VERSION_PRODUCE = 9,
  VERSION_FETCH = 12,
  VERSION_LIST_OFFSETS = 7,
  VERSION_METADATA = 9,
  VERSION_API_VERSIONS = 3,
  VERSION_CREATE_TOPICS = 5,
  VERSION_DELETE_TOPICS = 4,
  VERSION_INIT_PRODUCER_ID = 2
};

// Positions in the header of a record batch (magic 2).
enum {
  BATCH_BASE_OFFSET = 0,
  BATCH_LENGTH = 8,
  BATCH_LEADER_EPOCH = 12,
  BATCH_MAGIC = 16,
  BATCH_CRC = 17,
  BATCH_ATTRIBUTES = 21,
  BATCH_LAST_OFFSET_DELTA = 23,
  BATCH_BASE_TIMESTAMP = 27,
  BATCH_MAX_TIMESTAMP = 35,
  BATCH_PRODUCER_ID = 43,
  BATCH_PRODUCER_EPOCH = 51,
  BATCH_BASE_SEQUENCE = 53,
  BATCH_RECORD_COUNT = 57,
  BATCH_HEADER_BYTES = 61
};

// After the first read past the end `bad` stays set and every further read gives 0.
struct reader {
  const uint8_t *at, *end;
  bool bad;
};

static inline const uint8_t *read_raw(struct reader *r, size_t bytes) {
  if (r->bad || (size_t)(r->end - r->at) < bytes) {
    r->bad = true;
    return NULL;
  }
  const uint8_t *p = r->at;
  r->at += bytes;
  return p;
}
static inline int8_t read8(struct reader *r) {
  const uint8_t *p = read_raw(r, 1);
  return p ? (int8_t)*p : 0;
}
static inline int16_t read16(struct reader *r) {
  const uint8_t *p = read_raw(r, 2);
  return p ? (int16_t)get16(p) : 0;
}
static inline int32_t read32(struct reader *r) {
  const uint8_t *p = read_raw(r, 4);
  return p ? (int32_t)get32(p) : 0;
}
static inline int64_t read64(struct reader *r) {
  const uint8_t *p = read_raw(r, 8);
  return p ? (int64_t)get64(p) : 0;
}
static inline uint32_t read_uvarint(struct reader *r) {
  uint32_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    uint8_t byte = (uint8_t)read8(r);
    value |= (uint32_t)(byte & 127) << shift;
    if (!(byte & 128)) return value;
  }
  r->bad = true;
  return 0;
}
// Length + 1 on the wire, 0 for null: gives the length, -1 for null.
static inline int32_t read_compact_length(struct reader *r) {
  return (int32_t)read_uvarint(r) - 1;
}
static inline const uint8_t *read_compact_string(struct reader *r, int32_t *length) {
  *length = read_compact_length(r);
  return *length > 0 ? read_raw(r, (size_t)*length) : r->at;
}
static inline void skip_tags(struct reader *r) {
  for (uint32_t count = read_uvarint(r); count && !r->bad; count--) {
    read_uvarint(r);
    read_raw(r, read_uvarint(r));
  }
}

// Grows as needed; `bytes` is what has been written.
struct writer {
  uint8_t *data;
  size_t bytes, capacity;
};
uint8_t *write_space(struct writer *w, size_t bytes);
void write8(struct writer *w, int8_t v);
void write16(struct writer *w, int16_t v);
void write32(struct writer *w, int32_t v);
void write64(struct writer *w, int64_t v);
void write_uvarint(struct writer *w, uint32_t v);
void write_compact_string(struct writer *w, const char *text); // NULL: null
void write_compact_bytes(struct writer *w, const uint8_t *text, size_t bytes);
void write_no_tags(struct writer *w);

// A request frame: size (patched by end_request), header version 2 with `client` as client id.
void begin_request(struct writer *w, int16_t api, int16_t version, int32_t correlation, const char *client);
void end_request(struct writer *w);

static inline size_t put_uvarint(uint8_t *p, uint32_t v) {
  size_t n = 0;
  for (; v > 127; v >>= 7) p[n++] = (uint8_t)(v | 128);
  p[n++] = (uint8_t)v;
  return n;
}

const char *error_name(int code);
#endif
