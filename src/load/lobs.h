/* Large objects: they are not in the stream of changes, so they are compared and brought over by difference.
 *
 * Both servers compute a digest of each object; what differs, in its bytes or in owner, privileges or comment,
 * is made again under the same OID, what the source does not have is removed. Memory is bounded by
 * a megabyte of data and a few hundred objects' digests. */
#ifndef PGC_LOAD_LOBS_H
#define PGC_LOAD_LOBS_H

#include "pg/conn.h"

struct lobs_result {
    int64_t count;   /* on the source */
    int64_t bytes;   /* of these */
    int64_t copied;  /* new or different */
    int64_t removed; /* only on the target */
    int64_t copied_bytes;
};

struct lobs_progress {
    void (*report)(void *arg, const struct lobs_result *so_far); /* NULL: nobody listens */
    void *arg;
};

/* Are there any large objects in the database that c is connected to? */
bool lobs_exist(struct conn *c, bool *exist, struct err *err);

/* only_ours: the target's objects are all this migration's; else, where the source has none, those of the
 * target are left alone.
 *
 * Makes the target's like the source's, each some hundred in a transaction of the target; the source is read
 * in one snapshot. Neither connection may be in a transaction. May be repeated: what was done stays. */
bool lobs_copy(struct conn *src, struct conn *dst, bool only_ours,
               const struct lobs_progress *progress, struct lobs_result *result, struct err *err);

/* Only counts what lobs_copy() would do. */
bool lobs_compare(struct conn *src, struct conn *dst, bool only_ours, struct lobs_result *result,
                  struct err *err);

#endif
