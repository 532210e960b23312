/* Stopping writes by locks, for a role that may not make the database read-only: every table is locked in EXCLUSIVE mode, all in one
 * transaction, which lasts as long as the freeze. Who reads goes on; who wants to write waits. What is no table
 * (sequences, large objects) is not stopped by it. The session's end lets everybody go on. */
#ifndef PGC_CUTOVER_TABLE_LOCKS_H
#define PGC_CUTOVER_TABLE_LOCKS_H

#include "base/buf.h"
#include "pg/conn.h"

struct lockable {
    const char *schema, *name; /* borrowed */
};

/* Leaves src in the transaction that holds the locks. A try waits for a second for each table, and longer each time; in between
 * everything is let go, so that nobody waits behind it for long. After wait_ms: ERR_TIMEOUT, with who writes in the detail. On
 * error no transaction is open. */
bool table_locks_take(struct conn *src, const char *database, const struct lockable *tables, size_t count, int wait_ms,
                      struct err *err);

/* Ends the sessions that wait for the locks of sessions of ours whose application_name is holder: their writes would be done
 * when the locks go. ended gets a line each, left one for each that may not be ended (it is emptied first). *held: is there
 * such a holder? */
bool table_locks_end_waiting(struct conn *src, const char *holder, struct buf *ended, struct buf *left, bool *held,
                             struct err *err);

#endif
