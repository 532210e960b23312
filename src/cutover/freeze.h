/* Stopping writes on the source: the database is made read-only for new sessions, the others are ended.
 *
 * In order: freeze_previous() (for the journal), freeze_set(), freeze_end_sessions(); undone by
 * freeze_undo(). Sessions that connect meanwhile stay read-only for as long as they live: call
 * freeze_end_sessions() once more after freeze_undo(), so that they come back writable.
 * A session that sets default_transaction_read_only itself is not stopped by this: writers_list()
 * shows it. Each may be called by a connection of any age; src is not in a transaction. */
#ifndef PGC_CUTOVER_FREEZE_H
#define PGC_CUTOVER_FREEZE_H

#include "base/buf.h"
#include "pg/conn.h"

/* The database's own setting of default_transaction_read_only, NULL where it has none; owned. */
bool freeze_previous(struct conn *src, const char *database, char **previous, struct err *err);

/* ERR_PREREQUISITE, naming them, if roles override the setting, transactions are prepared, or a
 * subscription writes into the database: things that a read-only default does not stop. */
bool freeze_check(struct conn *src, const char *database, struct err *err);

/* freeze_check(), then ALTER DATABASE ... SET default_transaction_read_only = on. */
bool freeze_set(struct conn *src, const char *database, struct err *err);

/* Ends every session of the database that began before the call (our own and walsenders excepted) and
 * waits until they are gone, 30 s at most. ended gets a line each (user, application, address, pid), also
 * on error. ERR_PREREQUISITE where the role may not see or end a session; what was ended stays ended. */
bool freeze_end_sessions(struct conn *src, const char *database, struct buf *ended, struct err *err);

/* Puts the setting back as freeze_previous() gave it. A database that is gone is success. */
bool freeze_undo(struct conn *src, const char *database, const char *previous, struct err *err);

/* Appends a line for each session of the database that has written or is at work (ours excepted);
 * *writing (may be NULL): how many of them hold a transaction that wrote. */
bool writers_list(struct conn *src, const char *database, struct buf *text, int *writing,
                  struct err *err);

/* Appends a line for each thing that freeze_check() names. */
bool obstacles_list(struct conn *src, const char *database, struct buf *text, struct err *err);
/* Appends a line for each active job of the extensions that run jobs by themselves (pg_cron, pgagent, timescaledb, pg_partman)
 * in the session's database; what may not be read is said in a line of its own. */
bool schedulers_list(struct conn *src, struct buf *text, struct err *err);

#endif
