// Topics are a fiction: every name exists and means the same partitions, so creating and deleting succeed idly.
#include "floor_answers.h"

static const struct {
  int16_t key, version;
} served[] = {{API_PRODUCE, VERSION_PRODUCE},
              {API_FETCH, VERSION_FETCH},
              {API_LIST_OFFSETS, VERSION_LIST_OFFSETS},
              {API_METADATA, VERSION_METADATA},
              {API_API_VERSIONS, VERSION_API_VERSIONS},
              {API_CREATE_TOPICS, VERSION_CREATE_TOPICS},
              {API_DELETE_TOPICS, VERSION_DELETE_TOPICS}};

static bool is_served(int16_t key, int16_t version) {
  for (size_t i = 0; i < sizeof served / sizeof *served; i++)
    if (served[i].key == key) return served[i].version == version;
  return false;
}

static void copy_string(struct reader *r, struct writer *out) {
  int32_t length;
  const uint8_t *text = read_compact_string(r, &length);
  if (!r->bad) write_compact_bytes(out, text, length > 0 ? (size_t)length : 0);
}

static void answer_produce(struct store *s, struct reader *r, struct writer *out, bool *silent) {
  int32_t length;
  read_compact_string(r, &length); // transactional id
  *silent = read16(r) == 0;        // acks=0 is answered by nothing
  read32(r);                       // timeout
  uint32_t topics = read_uvarint(r);
  write_uvarint(out, topics);
  for (; topics > 1 && !r->bad; topics--) {
    copy_string(r, out);
    uint32_t partitions = read_uvarint(r);
    write_uvarint(out, partitions);
    for (; partitions > 1 && !r->bad; partitions--) {
      uint32_t index = (uint32_t)read32(r);
      int32_t bytes = read_compact_length(r);
      const uint8_t *batch = bytes > 0 ? read_raw(r, (size_t)bytes) : NULL;
      skip_tags(r);
      int64_t base_offset = -1;
      int error = batch ? store_append(s, index, (uint8_t *)batch, (size_t)bytes, &base_offset) : 87;
      write32(out, (int32_t)index);
      write16(out, (int16_t)error);
      write64(out, base_offset);
      write64(out, -1);             // log append time
      write64(out, error ? -1 : 0); // log start offset
      write_uvarint(out, 1);        // record errors: none
      write_uvarint(out, 0);        // error message: null
      write_no_tags(out);
    }
    skip_tags(r);
    write_no_tags(out);
  }
  write32(out, 0); // throttle time
  write_no_tags(out);
}

static void answer_fetch(struct store *s, struct reader *r, struct writer *out) {
  read_raw(r, 12); // replica id, wait and minimum: the floor never waits, it answers with what there is
  size_t left = (size_t)read32(r);
  read_raw(r, 9); // isolation level, session id and epoch: no sessions
  write32(out, 0), write16(out, 0), write32(out, 0);
  uint32_t topics = read_uvarint(r);
  write_uvarint(out, topics);
  for (; topics > 1 && !r->bad; topics--) {
    copy_string(r, out);
    uint32_t partitions = read_uvarint(r);
    write_uvarint(out, partitions);
    for (; partitions > 1 && !r->bad; partitions--) {
      uint32_t index = (uint32_t)read32(r);
      read32(r); // current leader epoch
      int64_t offset = read64(r);
      read_raw(r, 12); // last fetched epoch, log start offset
      size_t most = (size_t)read32(r);
      skip_tags(r);
      bool known = index < s->options.partitions;
      int64_t end = known ? s->partitions[index].next_offset : -1;
      size_t first = 0, bytes = 0;
      if (known && left) bytes = store_plan_read(s, index, offset, most < left ? most : left, &first);
      left -= bytes < left ? bytes : left;
      write32(out, (int32_t)index);
      write16(out, known ? 0 : 3);
      write64(out, end), write64(out, end), write64(out, known ? 0 : -1);
      write_uvarint(out, 0); // aborted transactions: null
      write32(out, -1);      // preferred read replica
      write_uvarint(out, (uint32_t)bytes + 1);
      if (bytes) store_read(s, index, first, write_space(out, bytes), bytes);
      write_no_tags(out);
    }
    skip_tags(r);
    write_no_tags(out);
  }
  write_no_tags(out);
}

static void answer_list_offsets(struct store *s, struct reader *r, struct writer *out) {
  read_raw(r, 5); // replica id, isolation level
  write32(out, 0);
  uint32_t topics = read_uvarint(r);
  write_uvarint(out, topics);
  for (; topics > 1 && !r->bad; topics--) {
    copy_string(r, out);
    uint32_t partitions = read_uvarint(r);
    write_uvarint(out, partitions);
    for (; partitions > 1 && !r->bad; partitions--) {
      uint32_t index = (uint32_t)read32(r);
      read32(r); // current leader epoch
      int64_t timestamp = read64(r);
      skip_tags(r);
      bool known = index < s->options.partitions;
      write32(out, (int32_t)index);
      write16(out, known ? 0 : 3);
      write64(out, -1);
      write64(out, !known ? -1 : timestamp == -1 ? s->partitions[index].next_offset : 0);
      write32(out, 0);
      write_no_tags(out);
    }
    skip_tags(r);
    write_no_tags(out);
  }
  write_no_tags(out);
}

static void answer_metadata(struct store *s, const struct floor_address *address, struct reader *r,
                            struct writer *out) {
  write32(out, 0);       // throttle time
  write_uvarint(out, 2); // one broker
  write32(out, 0);
  write_compact_string(out, address->host);
  write32(out, address->port);
  write_uvarint(out, 0);
  write_no_tags(out);
  write_compact_string(out, "floor");
  write32(out, 0); // controller
  uint32_t topics = read_uvarint(r);
  write_uvarint(out, topics ? topics : 1);
  for (; topics > 1 && !r->bad; topics--) {
    write16(out, 0);
    copy_string(r, out);
    skip_tags(r);
    write8(out, 0);
    write_uvarint(out, s->options.partitions + 1);
    for (uint32_t p = 0; p < s->options.partitions; p++) {
      write16(out, 0);
      write32(out, (int32_t)p);
      write32(out, 0), write32(out, 0);          // leader, its epoch
      write_uvarint(out, 2), write32(out, 0);    // replicas
      write_uvarint(out, 2), write32(out, 0);    // in sync
      write_uvarint(out, 1), write_no_tags(out); // none offline
    }
    write32(out, INT32_MIN);
    write_no_tags(out);
  }
  write32(out, INT32_MIN);
  write_no_tags(out);
}

static void answer_api_versions(struct writer *out) {
  write16(out, 0);
  write_uvarint(out, sizeof served / sizeof *served + 1);
  for (size_t i = 0; i < sizeof served / sizeof *served; i++) {
    write16(out, served[i].key);
    write16(out, served[i].version), write16(out, served[i].version);
    write_no_tags(out);
  }
  write32(out, 0);
  write_no_tags(out);
}

static void answer_create_topics(struct store *s, struct reader *r, struct writer *out) {
  write32(out, 0);
  uint32_t topics = read_uvarint(r);
  write_uvarint(out, 2); // kload creates one topic a request
  copy_string(r, out);
  int32_t partitions = read32(r);
  bool fits = topics == 2 && (partitions == -1 || partitions == (int32_t)s->options.partitions);
  write16(out, fits ? 0 : 37);
  write_compact_string(out, fits ? NULL : "the floor's number of partitions is set by its --partitions");
  write32(out, (int32_t)s->options.partitions);
  write16(out, 1);
  write_uvarint(out, 0);
  write_no_tags(out);
  write_no_tags(out);
}

static void answer_delete_topics(struct reader *r, struct writer *out) {
  write32(out, 0);
  uint32_t topics = read_uvarint(r);
  write_uvarint(out, topics);
  for (; topics > 1 && !r->bad; topics--) {
    copy_string(r, out);
    write16(out, 0);
    write_no_tags(out);
  }
  write_no_tags(out);
}

bool answer_request(struct store *s, const struct floor_address *address, uint8_t *frame, size_t bytes,
                    struct writer *out) {
  struct reader reader = {frame, frame + bytes, false}, *r = &reader;
  int16_t key = read16(r), version = read16(r);
  int32_t correlation = read32(r);
  int16_t client = read16(r);
  if (client > 0) read_raw(r, (size_t)client);
  skip_tags(r);
  if (r->bad || !is_served(key, version)) return false;
  size_t start = out->bytes;
  write32(out, 0);
  write32(out, correlation);
  if (key != API_API_VERSIONS) write_no_tags(out); // its answers keep header version 0
  bool silent = false;
  switch (key) {
  case API_PRODUCE:
    answer_produce(s, r, out, &silent);
    break;
  case API_FETCH:
    store_flush(s); // the index already names what is only in the group
    answer_fetch(s, r, out);
    break;
  case API_LIST_OFFSETS:
    answer_list_offsets(s, r, out);
    break;
  case API_METADATA:
    answer_metadata(s, address, r, out);
    break;
  case API_API_VERSIONS:
    answer_api_versions(out);
    break;
  case API_CREATE_TOPICS:
    answer_create_topics(s, r, out);
    break;
  case API_DELETE_TOPICS:
    answer_delete_topics(r, out);
    break;
  }
  if (r->bad) return false;
  if (silent)
    out->bytes = start;
  else
    put32(out->data + start, (uint32_t)(out->bytes - start - 4));
  return true;
}
