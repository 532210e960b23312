/* Many tables compared side by side, on as many pairs of connections as there are. */
#ifndef PGC_VERIFY_POOL_H
#define PGC_VERIFY_POOL_H

#include "verify/verify.h"

struct verify_pair {
    struct conn *src, *dst; /* CONN_READER, idle; borrowed */
};

struct verify_pool {
    struct verify_pair *pairs; /* borrowed */
    size_t pair_count;
    void *arg;
    /* Called before each: the index of the table to begin with next, -1: none now (pause_ms: ask again then; 0: none at
     * all any more). */
    long (*next)(void *arg, int *pause_ms);
    const struct verify_job *jobs; /* borrowed */
    /* Called after each, in the order they end. */
    void (*compared)(void *arg, size_t index, const struct verify_result *result);
    /* One that could not be compared (it was changed or locked meanwhile, or may not be read): the others go on. err may
     * be taken. */
    void (*failed)(void *arg, size_t index, struct err *err);
};

/* Until `next` has no more. An error of one table is told and the others go on; false when a connection is lost, the
 * snapshot is gone, or on a stop request: what was compared stays told. The connections are idle afterwards, if they live. */
bool verify_pool_run(const struct verify_pool *pool, struct err *err);

#endif
