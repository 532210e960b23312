/* CRC-32C (Castagnoli): the checksum that processors have an instruction for. */
#ifndef PGC_BASE_CRC_H
#define PGC_BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what crc is the checksum of (0: nothing), followed by data. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
/* The same without that instruction, for processors that lack it, and to compare with. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

#endif
