/* Comparing source and target: counts and checksums computed by the servers, both at the same time.
 *
 * A checksum is the sum over all rows of 64 bits of hash of the row as text: the order of rows does not matter,
 * duplicates count. It covers every column of the source, generated ones too. What is compared must not
 * be written meanwhile, or must be at the same position on both sides. */
#ifndef PGC_VERIFY_VERIFY_H
#define PGC_VERIFY_VERIFY_H

#include "base/buf.h"
#include "load/sequences.h"
#include "pg/conn.h"

struct verify_job {
    const char *schema;
    const char *name;
    const char *target_schema;
    const char *target_name;
    const char *where; /* the source's row filter; all rows of the target count. NULL: all */
    const char *columns; /* text[] literal: what is compared, but for generated ones, which the target
                          * computes from what it has; NULL: all columns */
    const char *snapshot; /* of the source, exported; NULL: the present */
    const char *target_snapshot; /* the same of the target */
    int64_t bytes; /* about how much there is to read, 0: not known */
};

#define VERIFY_SUM_SIZE 96

struct verify_result {
    int64_t source_rows;
    int64_t target_rows;
    char source_sum[VERIFY_SUM_SIZE];
    char target_sum[VERIFY_SUM_SIZE];
    bool equal;
    char *note; /* owned, NULL: none. Why there was nothing to compare, or columns that were left out
                 * because their text differs between these two versions */
};

/* Compares one table, materialized view or partitioned table, each side in a REPEATABLE READ READ ONLY
 * transaction of its own. A table or column that the target does not have is a difference (equal false,
 * note), not an error; one that the source does not have is ERR_PREREQUISITE. Both connections are of
 * CONN_READER, idle before and after. result (released by the caller) is empty on error. */
bool verify_table(struct conn *src, struct conn *dst, const struct verify_job *job,
                  struct verify_result *result, struct err *err);
void verify_result_release(struct verify_result *result);

struct verify_difference {
    char *what;  /* owned: "table public.a", "sequence s", "materialized view m" */
    char *text;  /* owned: "source 5 rows, target 4 rows" */
};

struct verify_summary {
    size_t compared;
    struct verify_difference *differences; /* owned */
    size_t count;
    size_t cap;
    struct buf notes; /* lines: what could not be compared in full */
};

void verify_summary_release(struct verify_summary *summary);
/* False with ERR_DIFFERENT, the differences in the detail, when there are any. */
bool verify_summary_check(const struct verify_summary *summary, struct err *err);

/* Takes one result in; kind: "table". */
void verify_summary_add(struct verify_summary *summary, const struct verify_job *job, const char *kind,
                        const struct verify_result *result);

/* These add to the summary, which may hold earlier findings. A difference is no error; on error the
 * summary keeps what was found so far. */
/* All sequences of the source, filter as of sequences_read(); the target's are so many steps (margin) ahead. */
bool verify_sequences(struct conn *src, struct conn *dst, const struct sequence_filter *filter, int margin,
                      struct verify_summary *summary, struct err *err);
/* Does each materialized view that both sides have hold data where the source's does, and none where it does not? Not what
 * they hold: the target's are made from its own tables, which are compared, while the source's may be stale. */
bool verify_matviews(struct conn *src, struct conn *dst, struct verify_summary *summary, struct err *err);
/* All large objects: bytes, owners, privileges and comments. only_ours as of lobs_copy(). */
bool verify_lobs(struct conn *src, struct conn *dst, bool only_ours, struct verify_summary *summary,
                 struct err *err);

#endif
