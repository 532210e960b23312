/* The full load of tables, from source to target through this process. */
#ifndef PGC_LOAD_COPY_TABLE_H
#define PGC_LOAD_COPY_TABLE_H

#include "load/parts.h"
#include "load/wire.h"
#include "pg/conn.h"
#include "pg/lsn.h"

/* What the columns of either side are, for the binary form (load/wire.h). Borrowed. */
struct copy_types {
    const struct wire *source, *target;
};

/* A part of a table that was prepared for it (copy_prepare_parts()). */
struct copy_part {
    int number;
    const char *snapshot; /* name of the one that is adopted */
};

struct copy_job {
    const char *oid;           /* of the source table, as text; NULL: the snapshot's age is not checked */
    const char *schema;
    const char *name;
    const char *target_schema;
    const char *target_name;
    const char *where;         /* row filter, an SQL expression over the table; NULL: all rows */
    const char *columns;       /* text[] literal: the columns that are copied; NULL: all */
    const struct copy_types *types; /* NULL: as text */
    const char *replace;       /* an SQL condition: the rows of the target that make way; NULL: all */
    lsn_t epoch_lsn;           /* LSN_INVALID: recorded as null */
    bool mark;                 /* record the load in pgcutover.tables (needs oid) */
    const struct copy_part *part; /* just that, with mark; NULL: all of the table */
};

/* Called now and then while rows flow, with the totals so far. report NULL: nobody listens. */
struct copy_progress {
    void (*report)(void *arg, int64_t rows, int64_t bytes);
    void *arg;
    /* Called after so many more bytes were sent, to keep a rate: may wait. False with err ends the copy.
     * NULL: as fast as it goes. */
    bool (*pace)(void *arg, int64_t bytes, struct err *err);
};

struct copy_result {
    int64_t rows;
    int64_t bytes;       /* of COPY's form, as sent */
    int64_t started_us;  /* clock of this host */
    int64_t ended_us;
    int builds;          /* with mark: indexes and keys that the table's own job has to build */
    struct parts_sum sum; /* of a part: the table */
    bool frozen;         /* rows were written frozen */
    bool binary;
};

/* Copies one table. src must be in the transaction of its snapshot (snapshot_adopt()); dst must be
 * idle. On the target, in one transaction: what the table holds is removed (TRUNCATE ONLY; DELETE
 * where a foreign key of another table refers to it; TRUNCATE with its partitions where it is partitioned), the rows are
 * stored, pgcutover.tables is updated, COMMIT. Memory is bounded by the largest row. The rows pass in
 * COPY's binary form where both sides agree on every column's, else as text; the log says which, and why.
 *
 * ERR_PREREQUISITE names the column that does not fit. ERR_CONFLICT, retryable: the table was
 * rewritten or truncated since the snapshot: it needs a new one. On any error the target holds what it
 * held before, and neither connection is in a transaction any more (src must adopt its snapshot again)
 * unless it was lost. One exception: when the connection is lost during COMMIT the outcome is unknown,
 * ERR_CONNECTION: pgcutover.tables tells. */
bool copy_table(struct conn *src, struct conn *dst, const struct copy_job *job,
                const struct copy_progress *progress, struct copy_result *result, struct err *err);

/* Empties a large table on the target and records the parts of about part_bytes in which it is to be copied (load/parts.h)
 * under the snapshot that src has adopted; bytes: what the table has about. *count: how many; 1: it is to be copied
 * whole, and nothing was done. Then copy_table() with job->part, for each, by any number of workers: it adds the rows of
 * the part, and records it, in one transaction; a part that is there already is not copied again. Errors as there. */
bool copy_prepare_parts(struct conn *src, struct conn *dst, const struct copy_job *job, const char *snapshot,
                        int64_t bytes, int64_t part_bytes, int *count, struct err *err);

/* The same for several small tables in one transaction of the target, with few round trips: all or
 * none. Tables that are empty on the target already are not truncated, and their rows not frozen. */
bool copy_tables(struct conn *src, struct conn *dst, const struct copy_job *jobs, size_t count,
                 const struct copy_progress *progress, struct copy_result *results, struct err *err);

#endif
