#include "wire.h"
#include <stdlib.h>

uint8_t *write_space(struct writer *w, size_t bytes) {
  if (w->bytes + bytes > w->capacity) {
    size_t capacity = w->capacity ? w->capacity : 1024;
    while (capacity < w->bytes + bytes) capacity *= 2;
    uint8_t *data = realloc(w->data, capacity);
    if (!data) die("out of memory (%zu bytes)", capacity);
    w->data = data;
    w->capacity = capacity;
  }
  uint8_t *p = w->data + w->bytes;
  w->bytes += bytes;
  return p;
}

void write8(struct writer *w, int8_t v) {
  *write_space(w, 1) = (uint8_t)v;
}
void write16(struct writer *w, int16_t v) {
  put16(write_space(w, 2), (uint16_t)v);
}
void write32(struct writer *w, int32_t v) {
  put32(write_space(w, 4), (uint32_t)v);
}
void write64(struct writer *w, int64_t v) {
  put64(write_space(w, 8), (uint64_t)v);
}

void write_uvarint(struct writer *w, uint32_t v) {
  uint8_t text[5];
  size_t n = put_uvarint(text, v);
  memcpy(write_space(w, n), text, n);
}

void write_compact_bytes(struct writer *w, const uint8_t *text, size_t bytes) {
  write_uvarint(w, (uint32_t)bytes + 1);
  if (bytes) memcpy(write_space(w, bytes), text, bytes);
}

void write_compact_string(struct writer *w, const char *text) {
  if (text)
    write_compact_bytes(w, (const uint8_t *)text, strlen(text));
  else
    write_uvarint(w, 0);
}

void write_no_tags(struct writer *w) {
  write8(w, 0);
}

void begin_request(struct writer *w, int16_t api, int16_t version, int32_t correlation, const char *client) {
  w->bytes = 0;
  write32(w, 0);
  write16(w, api);
  write16(w, version);
  write32(w, correlation);
  write16(w, (int16_t)strlen(client)); // the client id keeps its int16 length in header version 2
  memcpy(write_space(w, strlen(client)), client, strlen(client));
  write_no_tags(w);
}

void end_request(struct writer *w) {
  put32(w->data, (uint32_t)(w->bytes - 4));
}

const char *error_name(int code) {
  static const struct {
    int code;
    const char *name;
  } names[] = {{-1, "UNKNOWN_SERVER_ERROR"},
               {0, "NONE"},
               {1, "OFFSET_OUT_OF_RANGE"},
               {2, "CORRUPT_MESSAGE"},
               {3, "UNKNOWN_TOPIC_OR_PARTITION"},
               {5, "LEADER_NOT_AVAILABLE"},
               {6, "NOT_LEADER_OR_FOLLOWER"},
               {7, "REQUEST_TIMED_OUT"},
               {10, "MESSAGE_TOO_LARGE"},
               {17, "INVALID_TOPIC_EXCEPTION"},
               {19, "NOT_ENOUGH_REPLICAS"},
               {20, "NOT_ENOUGH_REPLICAS_AFTER_APPEND"},
               {21, "INVALID_REQUIRED_ACKS"},
               {32, "INVALID_TIMESTAMP"},
               {35, "UNSUPPORTED_VERSION"},
               {36, "TOPIC_ALREADY_EXISTS"},
               {37, "INVALID_PARTITIONS"},
               {38, "INVALID_REPLICATION_FACTOR"},
               {40, "INVALID_CONFIG"},
               {41, "NOT_CONTROLLER"},
               {42, "INVALID_REQUEST"},
               {56, "KAFKA_STORAGE_ERROR"},
               {87, "INVALID_RECORD"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].code == code) return names[i].name;
  return "other error";
}
