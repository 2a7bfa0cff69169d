// CRC-32C (Castagnoli) as Kafka's record batches carry it.
#ifndef RINGLOG_CRC32C_H
#define RINGLOG_CRC32C_H
#include <stddef.h>
#include <stdint.h>

// Start with crc = 0; feed the result of one call to the next to continue.
uint32_t crc32c(uint32_t crc, const void *data, size_t bytes);
uint32_t crc32c_software(uint32_t crc, const void *data, size_t bytes);
const char *crc32c_kind(void);

// The register without the customary inversions: linear in the data, which is what lets kload change a few bytes of
// a batch and correct its CRC with table look-ups.
uint32_t crc32c_raw(uint32_t state, const void *data, size_t bytes);
#endif
