/* The last position of the source that counts, and marks in its WAL. */
#ifndef PGC_CUTOVER_FENCE_H
#define PGC_CUTOVER_FENCE_H

#include "pg/conn.h"
#include "pg/lsn.h"

/* Everything that was committed before the call lies before *lsn; a message committed behind it makes
 * sure that decoding passes *lsn on an idle source. To be called when nobody writes any more.
 * ERR_PREREQUISITE if a transaction is prepared in this database: its commit would come too late. */
bool fence_lsn(struct conn *src, lsn_t *lsn, struct err *err);

/* Commits a logical message (prefix "pgcutover"), so that an idle source moves on. */
bool heartbeat_emit(struct conn *src, const char *text, struct err *err);

#endif
