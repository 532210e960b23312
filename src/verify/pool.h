/* Many tables compared side by side, on as many pairs of connections as there are; large ones piece by piece (pieces.h). */
#ifndef PGC_VERIFY_POOL_H
#define PGC_VERIFY_POOL_H

#include "verify/verify.h"

struct verify_pair {
    struct conn *src, *dst; /* CONN_READER, idle; borrowed */
};

struct verify_pool {
    struct verify_pair *pairs; /* borrowed */
    size_t pair_count;
    const struct verify_job *jobs; /* borrowed */
    int64_t piece_bytes;       /* a larger table is read in pieces of about this size; 0: none is */
    void *arg;
    /* The index of the table to begin with next, -1: there is none any more. */
    long (*next)(void *arg);
    /* Before each piece: how many ms to wait before asking again, 0: it may be read. NULL: nothing is waited for. */
    int (*pause)(void *arg);
    /* A piece is read from now on (done: has been read) of about so many bytes. NULL: nobody wants to know. */
    void (*reads)(void *arg, size_t index, int64_t bytes, bool done);
    /* After each table, in the order they end. */
    void (*compared)(void *arg, size_t index, const struct verify_result *result);
    /* One that could not be compared (it was changed or locked meanwhile, or may not be read): the others go on. err may
     * be taken. */
    void (*failed)(void *arg, size_t index, struct err *err);
};

/* Until `next` has no more. An error of one table is told and the others go on; false when a connection is lost, the
 * snapshot is gone, or on a stop request: what was compared stays told. The connections are idle afterwards, if they live. */
bool verify_pool_run(const struct verify_pool *pool, struct err *err);

#endif
