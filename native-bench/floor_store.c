#define _GNU_SOURCE
#include "floor_store.h"
#include "crc32c.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

// Zeros written and synced beforehand: an overwrite then allocates nothing and changes no metadata, which is what a
// recycled segment gives. (fallocate would not do: unwritten extents are converted at the first sync.)
static void prewrite(int fd, int64_t bytes, bool cold) {
  const size_t step = 1 << 20;
  uint8_t *zeros = must_alloc_aligned(step);
  memset(zeros, 0, step);
  for (int64_t at = 0; at < bytes; at += (int64_t)step) {
    size_t n = bytes - at < (int64_t)step ? (size_t)(bytes - at) : step;
    if (pwrite(fd, zeros, n, at) != (ssize_t)n) die_errno("pre-writing a file");
  }
  if (fsync(fd)) die_errno("fsync of a pre-written file");
  if (cold) posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  free(zeros);
}

void store_open(struct store *s, const struct store_options *options) {
  memset(s, 0, sizeof *s);
  s->options = *options;
  s->file_count = options->single_file ? 1 : options->partitions;
  s->files = must_alloc(s->file_count * sizeof *s->files);
  s->touched = must_alloc(s->file_count * sizeof *s->touched);
  s->partitions = must_alloc(options->partitions * sizeof *s->partitions);
  s->group_sync_ns = histogram_new();
  for (uint32_t i = 0; i < s->file_count; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/floor-%u.dat", options->directory, i);
    struct file *f = &s->files[i];
    f->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (f->fd < 0) die_errno("cannot create %s", path);
    f->group_first = -1;
    if (options->prewritten) prewrite(f->fd, options->bytes_per_file, options->cold);
  }
  for (uint32_t p = 0; p < options->partitions; p++) s->partitions[p].file = &s->files[options->single_file ? 0 : p];
}

static void remember(struct partition *p, int64_t offset, int64_t position, uint32_t bytes, uint32_t records) {
  if (p->index_count == p->index_capacity) {
    p->index_capacity = p->index_capacity ? 2 * p->index_capacity : 256;
    p->index = realloc(p->index, p->index_capacity * sizeof *p->index);
    if (!p->index) die("out of memory for the index");
  }
  p->index[p->index_count++] = (struct index_entry){offset, position, bytes, records};
}

static int check_batch(const uint8_t *batch, size_t bytes) {
  if (bytes < BATCH_HEADER_BYTES || get32(batch + BATCH_LENGTH) != bytes - 12 || batch[BATCH_MAGIC] != 2) return 2;
  if (crc32c(0, batch + BATCH_ATTRIBUTES, bytes - BATCH_ATTRIBUTES) != get32(batch + BATCH_CRC)) return 2;
  uint32_t count = get32(batch + BATCH_RECORD_COUNT);
  return count == 0 || count != get32(batch + BATCH_LAST_OFFSET_DELTA) + 1 ? 87 : 0;
}

int store_append(struct store *s, uint32_t partition, uint8_t *batch, size_t bytes, int64_t *base_offset) {
  if (partition >= s->options.partitions) return 3;
  int error = check_batch(batch, bytes);
  if (error) return error;
  if (store_group_full(s)) store_flush(s); // one request may hold more batches than a group
  struct partition *p = &s->partitions[partition];
  struct file *f = p->file;
  if (s->options.prewritten && f->position + (int64_t)bytes > s->options.bytes_per_file) {
    if (!s->options.wrap || (int64_t)bytes > s->options.bytes_per_file) return 56; // KAFKA_STORAGE_ERROR: it is full
    store_flush(s); // a group is one contiguous write per file, so it ends where the file does
    f->position = 0;
    for (uint32_t i = 0; i < s->options.partitions; i++) // what was there is overwritten from now on: forget it
      if (s->partitions[i].file == f) s->partitions[i].index_count = s->partitions[i].index_hint = 0;
  }
  uint32_t records = get32(batch + BATCH_RECORD_COUNT);
  *base_offset = p->next_offset;
  put64(batch + BATCH_BASE_OFFSET, (uint64_t)p->next_offset);
  put32(batch + BATCH_LEADER_EPOCH, 0);
  remember(p, p->next_offset, f->position, (uint32_t)bytes, records);
  if (f->group_first < 0) {
    s->touched[s->touched_count++] = f;
    f->group_position = f->position;
    f->group_first = s->group_count;
  } else {
    s->group[f->group_last].next = s->group_count;
  }
  f->group_last = s->group_count;
  s->group[s->group_count++] = (struct group_batch){{batch, bytes}, -1};
  s->group_bytes += bytes;
  f->position += (int64_t)bytes;
  p->next_offset += records;
  return 0;
}

static void write_all(int fd, struct iovec *parts, int count, int64_t position) {
  while (count) {
    ssize_t n = pwritev(fd, parts, count, position);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) die_errno("pwritev");
    position += n;
    for (; count && (size_t)n >= parts->iov_len; parts++, count--) n -= (ssize_t)parts->iov_len;
    if (count) parts->iov_base = (uint8_t *)parts->iov_base + n, parts->iov_len -= (size_t)n;
  }
}

void store_flush(struct store *s) {
  if (!s->group_count) return;
  struct iovec parts[GROUP_BATCHES_MAX];
  for (uint32_t t = 0; t < s->touched_count; t++) {
    struct file *f = s->touched[t];
    int count = 0;
    for (int32_t at = f->group_first; at >= 0; at = s->group[at].next) parts[count++] = s->group[at].bytes;
    write_all(f->fd, parts, count, f->group_position);
    f->group_first = -1;
  }
  if (s->options.sync) {
    int64_t start = now_ns();
    for (uint32_t t = 0; t < s->touched_count; t++)
      if (fdatasync(s->touched[t]->fd)) die_errno("fdatasync");
    histogram_record(s->group_sync_ns, now_ns() - start);
    s->syncs += s->touched_count;
  }
  s->groups++;
  s->batches += (uint64_t)s->group_count;
  s->bytes += s->group_bytes;
  s->group_count = 0;
  s->group_bytes = 0;
  s->touched_count = 0;
}

static size_t find_entry(struct partition *p, int64_t offset) {
  // A reader goes on where it stopped, so the last answer is nearly always the right guess.
  size_t hint = p->index_hint;
  if (hint < p->index_count && p->index[hint].base_offset == offset) return hint;
  size_t low = 0, high = p->index_count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (p->index[middle].base_offset + p->index[middle].records > offset)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

size_t store_plan_read(struct store *s, uint32_t partition, int64_t offset, size_t bytes_max, size_t *first_entry) {
  struct partition *p = &s->partitions[partition];
  size_t at = *first_entry = find_entry(p, offset), bytes = 0;
  for (; at < p->index_count; at++) {
    if (bytes && bytes + p->index[at].bytes > bytes_max) break;
    bytes += p->index[at].bytes;
  }
  p->index_hint = at;
  return bytes;
}

void store_read(struct store *s, uint32_t partition, size_t first_entry, uint8_t *to, size_t bytes) {
  struct partition *p = &s->partitions[partition];
  size_t at = first_entry;
  while (bytes) { // one pread per run of neighbours: the whole answer, unless partitions share a file
    int64_t from = p->index[at].position, end = from;
    size_t run = 0;
    for (; run < bytes && p->index[at].position == end; at++) {
      run += p->index[at].bytes;
      end += p->index[at].bytes;
    }
    for (size_t done = 0; done < run;) {
      ssize_t n = pread(p->file->fd, to + done, run - done, from + (int64_t)done);
      if (n <= 0) die_errno("pread");
      done += (size_t)n;
    }
    to += run;
    bytes -= run;
  }
}

void store_report(const struct store *s, FILE *out) {
  struct cpu_time cpu = cpu_time_self();
  fprintf(out,
          "{\"groups\":%llu,\"batches\":%llu,\"bytes\":%llu,\"syncs\":%llu,\"cpu_user_s\":%.3f,\"cpu_system_s\":%.3f,"
          "\"crc32c\":\"%s\",\"group_sync_us\":",
          (unsigned long long)s->groups, (unsigned long long)s->batches, (unsigned long long)s->bytes,
          (unsigned long long)s->syncs, cpu.user, cpu.system, crc32c_kind());
  histogram_json(s->group_sync_ns, out);
  fprintf(out, "}\n");
}
