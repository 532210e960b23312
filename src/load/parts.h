/* Large tables in parts: ranges of pages (ctid), which several workers read under one snapshot. What is copied of
 * them is recorded on the target, in pgcutover.parts, by the transactions that copy it; the one that finds all the
 * others there records the table as loaded.
 *
 * A row that the snapshot shows has one place in the table for as long as the table is not rewritten, whatever
 * others do to it meanwhile; so each is in one part. From PostgreSQL 14 on such a range is read without reading the
 * rest (TID range scan); before, a table is copied whole. */
#ifndef PGC_LOAD_PARTS_H
#define PGC_LOAD_PARTS_H

#include <stdint.h>

#include "pg/conn.h"
#include "pg/lsn.h"

#define PARTS_MIN_VERSION 140000
#define PARTS_MOST 1000

struct part_range {
    int64_t first_page;
    int64_t end_page; /* -1: to the table's end, wherever that is */
};

/* Cuts `pages` pages that hold `bytes` bytes, with what is stored out of line, into ranges of about part_bytes, at most
 * PARTS_MOST, which together are the whole table. ranges (NULL: just counts) has room for PARTS_MOST. Returns
 * how many; 1 for what is not worth cutting. */
int parts_cut(int64_t pages, int64_t bytes, int64_t part_bytes, struct part_range *ranges);

/* The pages of a table of the source at present. 0: it cannot be read in parts (not a heap, an old server). -1 with err. */
int64_t parts_pages(struct conn *src, const char *oid, struct err *err);

/* The following are for the target's transaction (READ COMMITTED). oid is the source table's. */

/* Forgets the parts of an earlier try; waits for transactions that still copy one. */
bool parts_forget(struct conn *dst, const char *oid, struct err *err);
bool parts_add(struct conn *dst, const char *oid, const char *snapshot, const struct part_range *ranges, int count,
               struct err *err);

struct part {
    struct part_range range;
    bool copied; /* by somebody else, already: then so many rows and bytes */
    int64_t rows, bytes;
};

/* Takes a part until the transaction ends; waits for another one that has it. ERR_CONFLICT, retryable, when the table
 * is not copied under this snapshot any more. */
bool parts_take(struct conn *dst, const char *oid, int number, const char *snapshot, struct part *part, struct err *err);
/* The whole table, with its last part: then it is recorded as loaded. */
struct parts_sum {
    bool all;
    int64_t rows, bytes;
    int builds; /* indexes and keys that its own job has to build */
};

/* Records a part as copied, as of epoch_lsn. sum->all is false while there are others. */
bool parts_mark(struct conn *dst, const char *oid, int number, int64_t rows, int64_t bytes, lsn_t epoch_lsn,
                uint32_t storage, struct parts_sum *sum, struct err *err);

#endif
