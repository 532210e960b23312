/* The pairs of connections that tables are compared on: in the background and in the cutover alike. */
#ifndef PGC_ENGINE_VERIFY_PAIRS_H
#define PGC_ENGINE_VERIFY_PAIRS_H

#include "engine/worker.h"
#include "verify/pool.h"

#define VERIFY_PAIRS_MAX 16

struct verify_pairs {
    struct conn ends[VERIFY_PAIRS_MAX][2];       /* source, target; those that were opened here */
    struct verify_pair pairs[VERIFY_PAIRS_MAX];
    size_t count;
};

/* As many pairs as the plan has jobs, and no more than there are tables or pieces of them. own_source, own_target: a pair that
 * is there already (borrowed), or NULL. On error those that were opened are left to verify_pairs_close(). */
bool verify_pairs_connect(struct verify_pairs *pairs, struct work *work, const struct verify_job *jobs, size_t count,
                          struct conn *own_source, struct conn *own_target, struct err *err);
void verify_pairs_close(struct verify_pairs *pairs);

/* Puts those first that have not been compared, then those whose comparison is of the earliest position, so that one that is cut short
 * again and again gets to all of them; otherwise in the order they are in. */
void verify_order(const struct table **tables, size_t count);

/* What of a table's size makes it be read in pieces of about this size; 0: it is read whole. */
int64_t verify_piece_bytes(const struct work *work);
/* The comparison of one table; snapshots: as of struct verify_job. Strings stay the table's. */
struct verify_job verify_job_of(const struct table *table, const char *snapshot, const char *target_snapshot);

#endif
