#include "crc32c.h"
#include "kload.h"
#include <stdlib.h>
#include <sys/time.h>

#define SERIAL_BYTES 8
#define BYTES_AFTER_SERIAL 1 // the record's count of headers: the number ends the last record's value

static uint32_t serial_crc[SERIAL_BYTES][256];

// What byte b at place i contributes to the CRC, given that CRC-32C is linear: its raw register after the bytes that
// follow. The number always has the same distance to the end of the batch, so one table serves batches of all sizes.
static void fill_serial_crc(void) {
  for (int i = 0; i < SERIAL_BYTES; i++)
    for (int value = 0; value < 256; value++) {
      uint8_t bytes[SERIAL_BYTES + BYTES_AFTER_SERIAL] = {0};
      bytes[i] = (uint8_t)value;
      serial_crc[i][value] = crc32c_raw(0, bytes, sizeof bytes);
    }
}

// The same for the register that the producer's fields leave, after `bytes` further bytes.
static uint32_t (*producer_crc(size_t bytes))[256] {
  uint32_t(*table)[256] = must_alloc(4 * sizeof *table);
  uint8_t *zeros = calloc(bytes, 1);
  if (!zeros) die("out of memory");
  for (int i = 0; i < 4; i++)
    for (uint32_t value = 0; value < 256; value++) table[i][value] = crc32c_raw(value << 8 * i, zeros, bytes);
  free(zeros);
  return table;
}

static size_t put_varint(uint8_t *p, int64_t v) {
  return put_uvarint(p, (uint32_t)((uint64_t)v << 1) ^ (uint32_t)(v >> 63));
}

static size_t record_size(const struct options *o, int delta) {
  uint8_t scratch[16];
  size_t body =
      1 + 1 + put_varint(scratch, delta) + 1 + put_varint(scratch, o->record_bytes) + (size_t)o->record_bytes + 1;
  return put_varint(scratch, (int64_t)body) + body;
}

// Fills records up to `batch_bytes` (at least one); gives the batch's size.
static size_t build_batch(const struct options *o, uint8_t *batch, size_t batch_bytes, int64_t now_ms, uint64_t *random,
                          uint32_t *records) {
  uint8_t *at = batch + BATCH_HEADER_BYTES;
  int count = 0;
  while (!count || (size_t)(at - batch) + record_size(o, count) <= batch_bytes) {
    uint8_t scratch[16];
    size_t length_bytes = put_varint(scratch, 0);
    size_t total = record_size(o, count);
    for (length_bytes = 1; put_varint(scratch, (int64_t)(total - length_bytes)) != length_bytes;) length_bytes++;
    at += put_varint(at, (int64_t)(total - length_bytes));
    *at++ = 0;                   // attributes
    at += put_varint(at, 0);     // timestamp delta
    at += put_varint(at, count); // offset delta
    at += put_varint(at, -1);    // no key
    at += put_varint(at, o->record_bytes);
    random_fill(at, (size_t)o->record_bytes, random);
    at += o->record_bytes;
    at += put_varint(at, 0); // no headers
    count++;
  }
  size_t bytes = (size_t)(at - batch);
  memset(batch, 0, BATCH_HEADER_BYTES);
  put32(batch + BATCH_LENGTH, (uint32_t)(bytes - 12));
  put32(batch + BATCH_LEADER_EPOCH, UINT32_MAX);
  batch[BATCH_MAGIC] = 2;
  put32(batch + BATCH_LAST_OFFSET_DELTA, (uint32_t)count - 1);
  put64(batch + BATCH_BASE_TIMESTAMP, (uint64_t)now_ms);
  put64(batch + BATCH_MAX_TIMESTAMP, (uint64_t)now_ms);
  memset(batch + BATCH_PRODUCER_ID, 0xff, BATCH_RECORD_COUNT - BATCH_PRODUCER_ID); // no idempotence: all -1
  put32(batch + BATCH_RECORD_COUNT, (uint32_t)count);
  put32(batch + BATCH_CRC, crc32c(0, batch + BATCH_ATTRIBUTES, bytes - BATCH_ATTRIBUTES));
  *records = (uint32_t)count;
  return bytes;
}

static void reserve(struct pool *p, const struct options *o, size_t largest, size_t count_min) {
  p->stride = (largest + 63) & ~(size_t)63;
  p->count = (size_t)o->pool_bytes / p->stride;
  if (p->count < count_min) p->count = count_min;
  p->memory = must_alloc_aligned(p->count * p->stride);
  p->sizes = must_alloc(p->count * sizeof *p->sizes);
  p->records = must_alloc(p->count * sizeof *p->records);
  p->busy = must_alloc(p->count * sizeof *p->busy);
}

// Size of the batch at `at`, of which `left` bytes are there; dies if that is none.
static size_t batch_in_file(const struct options *o, const uint8_t *at, size_t left) {
  size_t bytes = left < BATCH_HEADER_BYTES ? 0 : 12 + (size_t)get32(at + BATCH_LENGTH);
  if (bytes < BATCH_HEADER_BYTES || bytes > left || at[BATCH_MAGIC] != 2)
    die("--pool-file: %s is not record batches (magic 2) one behind the other", o->pool_file);
  return bytes;
}

// The batches of the file, again and again until the pool is full.
static void fill_from_file(struct pool *p, const struct options *o, size_t count_min) {
  FILE *file = fopen(o->pool_file, "rb");
  if (!file) die_errno("--pool-file: %s", o->pool_file);
  if (fseek(file, 0, SEEK_END)) die_errno("--pool-file: %s", o->pool_file);
  size_t total = (size_t)ftell(file), largest = 0;
  rewind(file);
  uint8_t *data = must_alloc(total + 1);
  if (!total || fread(data, 1, total, file) != total) die("--pool-file: %s cannot be read, or is empty", o->pool_file);
  fclose(file);
  for (size_t at = 0, bytes; at < total; at += bytes) {
    bytes = batch_in_file(o, data + at, total - at);
    if (bytes > largest) largest = bytes;
  }
  reserve(p, o, largest, count_min);
  for (size_t i = 0, at = 0; i < p->count; i++) {
    p->sizes[i] = (uint32_t)batch_in_file(o, data + at, total - at);
    p->records[i] = get32(data + at + BATCH_RECORD_COUNT);
    memcpy(pool_batch(p, i), data + at, p->sizes[i]);
    at = at + p->sizes[i] == total ? 0 : at + p->sizes[i];
  }
  free(data);
}

void pool_open(struct pool *p, const struct options *o, size_t count_min) {
  fill_serial_crc();
  struct timeval wall;
  gettimeofday(&wall, NULL);
  int64_t now_ms = (int64_t)wall.tv_sec * 1000 + wall.tv_usec / 1000;
  uint64_t random = (uint64_t)wall.tv_usec * 2654435761u + (uint64_t)wall.tv_sec + 1;
  if (o->pool_file) {
    // Milliseconds that count up from half an hour ago: every batch has its own, and none is an hour ahead, which
    // brokers refuse.
    p->from_file = true;
    p->serial = (uint64_t)now_ms - 1800000;
    return fill_from_file(p, o, count_min);
  }
  size_t largest = (size_t)o->batch_bytes_max;
  if (largest < BATCH_HEADER_BYTES + record_size(o, 0)) largest = BATCH_HEADER_BYTES + record_size(o, 0);
  reserve(p, o, largest, count_min);
  p->serial = random_next(&random); // so that two runs do not send the same batches either
  for (size_t i = 0; i < p->count; i++) {
    size_t spread = (size_t)(o->batch_bytes_max - o->batch_bytes_min);
    size_t bytes = (size_t)o->batch_bytes_min + (spread ? random_next(&random) % (spread + 1) : 0);
    p->sizes[i] = (uint32_t)build_batch(o, pool_batch(p, i), bytes, now_ms, &random, &p->records[i]);
  }
  if (o->idempotent) p->producer_crc = producer_crc(p->sizes[0] - BATCH_RECORD_COUNT);
}

uint64_t pool_number(const uint8_t *batch, size_t bytes) {
  uint64_t number;
  memcpy(&number, batch + bytes - BYTES_AFTER_SERIAL - SERIAL_BYTES, 8);
  return number;
}

void pool_stamp(struct pool *p, size_t i, int64_t producer_id, int32_t sequence) {
  enum { FIELDS_BYTES = BATCH_RECORD_COUNT - BATCH_PRODUCER_ID };
  uint8_t *batch = pool_batch(p, i), *fields = batch + BATCH_PRODUCER_ID, change[FIELDS_BYTES];
  memcpy(change, fields, FIELDS_BYTES);
  put64(fields, (uint64_t)producer_id);
  put16(batch + BATCH_PRODUCER_EPOCH, 0);
  put32(batch + BATCH_BASE_SEQUENCE, (uint32_t)sequence);
  for (int b = 0; b < FIELDS_BYTES; b++) change[b] ^= fields[b];
  uint32_t state = crc32c_raw(0, change, FIELDS_BYTES), crc = get32(batch + BATCH_CRC);
  for (int b = 0; b < 4; b++) crc ^= p->producer_crc[b][state >> 8 * b & 255];
  put32(batch + BATCH_CRC, crc);
}

size_t pool_take(struct pool *p, uint64_t number) {
  size_t i = p->next;
  while (p->busy[i]) i = i + 1 == p->count ? 0 : i + 1; // ends: there are more batches than can be in sending
  p->next = i + 1 == p->count ? 0 : i + 1;
  p->busy[i] = true;
  uint8_t *batch = pool_batch(p, i);
  if (p->from_file) { // records compressed: their timestamps, all the header's, are what can be changed
    put64(batch + BATCH_BASE_TIMESTAMP, number);
    put64(batch + BATCH_MAX_TIMESTAMP, number);
    put32(batch + BATCH_CRC, crc32c(0, batch + BATCH_ATTRIBUTES, p->sizes[i] - BATCH_ATTRIBUTES));
    return i;
  }
  uint8_t *serial = batch + p->sizes[i] - BYTES_AFTER_SERIAL - SERIAL_BYTES;
  uint64_t before;
  memcpy(&before, serial, 8);
  memcpy(serial, &number, 8);
  uint64_t change = before ^ number;
  uint32_t crc = get32(batch + BATCH_CRC);
  for (int b = 0; b < SERIAL_BYTES; b++) crc ^= serial_crc[b][change >> 8 * b & 255];
  put32(batch + BATCH_CRC, crc);
  return i;
}
