/* LSNs: positions in the WAL, 64-bit, written "16/B374D848" (PostgreSQL docs, pg_lsn type). */
#ifndef PGC_PG_LSN_H
#define PGC_PG_LSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t lsn_t;
#define LSN_INVALID UINT64_C(0)
#define LSN_TEXT_SIZE 20

bool lsn_parse(const char *text, lsn_t *lsn);
/* Writes into out and returns it. */
const char *lsn_format(lsn_t lsn, char out[LSN_TEXT_SIZE]);

#endif
