/* Sequences at cutover: logical decoding does not carry them. */
#ifndef PGC_CUTOVER_SEQUENCES_H
#define PGC_CUTOVER_SEQUENCES_H

#include "load/sequences.h"
#include "pg/conn.h"

/* Gives every sequence of the source (filter NULL: all) the same last_value and is_called on the
 * target, or one that is so many steps (margin) ahead, 200 a statement. ERR_PREREQUISITE, before anything is set, names those missing on the target.
 * May be repeated. *count (may be NULL): how many were set. Neither connection is in a transaction. */
bool sequences_copy(struct conn *src, struct conn *dst, const struct sequence_filter *filter, int margin,
                    int *count, struct err *err);

#endif
