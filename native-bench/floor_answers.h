// The floor's side of the protocol: takes one request apart, appends or reads, and adds the answer to `out`.
#ifndef RINGLOG_FLOOR_ANSWERS_H
#define RINGLOG_FLOOR_ANSWERS_H
#include "floor_store.h"

struct floor_address {
  const char *host;
  int port;
};

// `frame` is one request without its size. False: it cannot be understood, close the connection. The batches of a
// produce request stay where they are in the frame until store_flush; the answer must not leave before.
bool answer_request(struct store *s, const struct floor_address *address, uint8_t *frame, size_t bytes,
                    struct writer *out);
#endif
