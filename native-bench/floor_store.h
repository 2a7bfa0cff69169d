// The floor's storage: N partitions in N files (or all in one), appended straight from the receive buffers. It holds
// no record of what it wrote but an index in memory: nothing survives a restart, since only its speed matters.
#ifndef RINGLOG_FLOOR_STORE_H
#define RINGLOG_FLOOR_STORE_H
#include "histogram.h"
#include "util.h"
#include "wire.h"
#include <sys/uio.h>

// A group is what one epoll round gathered, at most this much: the same bounds as ringlog's shards have.
#define GROUP_BYTES_MAX (4 << 20)
#define GROUP_BATCHES_MAX 1000

struct store_options {
  const char *directory;
  uint32_t partitions;
  bool prewritten;        // else growing from empty
  bool single_file;       // every partition's bytes into one file, so one fdatasync covers the group
  bool sync;              // fdatasync what a group wrote before anything of it is answered
  bool wrap;              // a full pre-written file starts again at its beginning, else it refuses
  bool cold;              // drop the pre-written files from the page cache before measuring
  int64_t bytes_per_file; // size of pre-written files
};

struct index_entry {
  int64_t base_offset, position;
  uint32_t bytes, records;
};

struct file {
  int fd;
  int64_t position;                // where the next batch goes
  int64_t group_position;          // where this group's bytes begin
  int32_t group_first, group_last; // chain of the group's batches, -1: none
};

struct partition {
  int64_t next_offset;
  struct file *file;
  struct index_entry *index;
  size_t index_count, index_capacity, index_hint;
};

struct group_batch {
  struct iovec bytes;
  int32_t next;
};

struct store {
  struct store_options options;
  struct partition *partitions;
  struct file *files;
  uint32_t file_count;
  struct group_batch group[GROUP_BATCHES_MAX];
  int32_t group_count;
  size_t group_bytes;
  struct file **touched;
  uint32_t touched_count;
  uint64_t groups, batches, bytes, syncs;
  struct histogram *group_sync_ns;
};

void store_open(struct store *s, const struct store_options *options);
// Checks the batch, stamps offset and epoch into its header in place, and adds it to the group: `batch` must stay
// where it is until store_flush. Gives a Kafka error code.
int store_append(struct store *s, uint32_t partition, uint8_t *batch, size_t bytes, int64_t *base_offset);
static inline bool store_group_full(const struct store *s) {
  return s->group_count == GROUP_BATCHES_MAX || s->group_bytes >= GROUP_BYTES_MAX;
}
void store_flush(struct store *s);
// Whole batches from `offset` on, at least one if there is one: how many bytes, and where the reading starts.
size_t store_plan_read(struct store *s, uint32_t partition, int64_t offset, size_t bytes_max, size_t *first_entry);
void store_read(struct store *s, uint32_t partition, size_t first_entry, uint8_t *to, size_t bytes);
void store_report(const struct store *s, FILE *out);
#endif
