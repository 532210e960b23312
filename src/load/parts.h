/* Large tables in parts, which several workers read under one snapshot: ranges of pages (ctid) of a heap, from PostgreSQL 14 on,
 * which reads such a range without reading the rest (TID range scan); of other tables, and before 14, ranges of the first column
 * of an index (part_keys.h). What is copied of them is recorded on the target, in pgcutover.parts, by the transactions that
 * copy it; the one that finds all the others there records the table as loaded.
 *
 * A row that the snapshot shows has one place in the table for as long as the table is not rewritten, whatever others do to it
 * meanwhile, and one key; so each is in one part.
 *
 * All parts are of one snapshot: when it is lost before the last of them is copied, the table begins anew. Parts of two
 * snapshots, of positions A and B, would have to be brought to one position by the stream, which between A and B concerns rows
 * of both kinds. With ranges of pages it does not say of which: it names no pages, and an UPDATE moves a row from one range
 * into another, so that the second snapshot shows it in a range that was copied under the first, or in both, or in none. With
 * ranges of keys it does; but an UPDATE that changes the key from a range of B into one of A carries a row of which the target
 * has nothing, and leaves out the values out of line that it did not change (pgoutput: "unchanged TOASTed value"): no position
 * of the stream has them. Inserting what does come would be wrong without a sign of it. So it is not done. */
#ifndef PGC_LOAD_PARTS_H
#define PGC_LOAD_PARTS_H

#include <stdint.h>

#include "pg/conn.h"
#include "pg/lsn.h"

#define PARTS_MIN_VERSION 140000
#define PARTS_MOST 1000

struct part_table {
    const char *oid, *schema, *name;
    int64_t bytes; /* about */
};

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

/* Conditions over the rows of a table, of which each row fulfils one. */
struct part_list {
    char **conditions; /* owned */
    int count;         /* <= 1: it is not cut */
};

void part_list_release(struct part_list *list);
/* The conditions of page ranges. */
void part_list_of_ranges(const struct part_range *ranges, int count, struct part_list *list);
/* Cuts a table of the source, of about so many bytes, by pages or by a key. src is in a transaction, and stays in it. On error the
 * list is empty; a table that cannot be cut is none. */
bool part_list_cut(struct conn *src, const struct part_table *table, int64_t part_bytes, struct part_list *list, struct err *err);

/* The following are for the target's transaction (READ COMMITTED). oid is the source table's. */

/* Forgets the parts of an earlier try; waits for transactions that still copy one. */
bool parts_forget(struct conn *dst, const char *oid, struct err *err);
bool parts_add(struct conn *dst, const char *oid, const char *snapshot, const struct part_list *list, struct err *err);

struct part {
    char *condition; /* owned */
    bool copied; /* by somebody else, already: then so many rows and bytes */
    int64_t rows, bytes;
};

void part_release(struct part *part);
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
