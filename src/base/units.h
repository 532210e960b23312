/* Sizes and durations as people write and read them. */
#ifndef PGC_BASE_UNITS_H
#define PGC_BASE_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "1GB", "512 MB", "64kB", "8192" (bytes): powers of 1024 as in postgresql.conf, case ignored;
 * false when the text is none. */
bool units_parse_bytes(const char *text, int64_t *bytes);
/* "1s", "250 ms", "5min", "2h", "1d", "10us": as in postgresql.conf; a bare number is seconds. */
bool units_parse_duration_us(const char *text, int64_t *us);

/* "15.1 GB" */
void units_bytes(int64_t bytes, char *out, size_t size);
/* "1,204,331" */
void units_count(int64_t count, char *out, size_t size);
/* "0.8 s", "2:05", "3:04:05", "2d 03h" */
void units_duration(int64_t us, char *out, size_t size);

#endif
