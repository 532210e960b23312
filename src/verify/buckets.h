/* Where two tables differ, without looking at rows one by one: each side puts its rows into buckets by a hash of
 * the whole row, and counts and sums up each bucket. A row that was changed differs in two of them, also
 * where there is no key and where rows are alike. */
#ifndef PGC_VERIFY_BUCKETS_H
#define PGC_VERIFY_BUCKETS_H

#include "verify/verify.h"

struct verify_buckets {
    bool comparable;       /* false: something of the rows cannot be compared as text: nothing is said */
    int64_t source_rows, target_rows;
    size_t count;          /* buckets there are */
    size_t differing;
    char *source_rows_are; /* SQL condition of the rows in the buckets that differ, the job's filter included;
                            * owned, NULL: none differ */
    char *target_rows_are;
};

/* rows: about how many there are. most: the conditions are of no more than so many of the buckets that differ, 0: all.
 * Connections as of verify_table(). */
bool verify_buckets(struct conn *src, struct conn *dst, const struct verify_job *job, int64_t rows,
                    size_t most, struct verify_buckets *buckets, struct err *err);
void verify_buckets_release(struct verify_buckets *buckets);

#endif
