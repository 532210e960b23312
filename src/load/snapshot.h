/* Transactions that the copies read in. */
#ifndef PGC_LOAD_SNAPSHOT_H
#define PGC_LOAD_SNAPSHOT_H

#include "pg/conn.h"

/* Begins a REPEATABLE READ READ ONLY transaction under an exported snapshot. On error no transaction
 * is open; a snapshot that is gone with its session is retryable: with a new epoch. */
bool snapshot_adopt(struct conn *src, const char *snapshot, struct err *err);
/* Is it such an error? */
bool snapshot_is_gone(const struct err *err);
/* The same under a snapshot of its own, for what is copied or compared while nobody writes. */
bool snapshot_begin_plain(struct conn *src, struct err *err);
/* Ends the transaction, whatever state it is in. */
void snapshot_end(struct conn *src);

#endif
