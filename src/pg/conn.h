/* One connection to one server. Everything waits with a deadline, and gives up when this process is
 * asked to stop (base/stop.h), cancelling the running statement on the server first.
 *
 * A struct conn is the caller's storage: CONN_INIT, conn_open(), ..., conn_close(). */
#ifndef PGC_PG_CONN_H
#define PGC_PG_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/err.h"
#include "pg/conninfo.h"

enum conn_side { SIDE_SOURCE, SIDE_TARGET };

/* "source" or "target". */
const char *side_name(enum conn_side side);

enum conn_profile {
    CONN_PLAIN,       /* empty search_path, timeouts off, lock_timeout as given by the caller */
    CONN_READER,      /* the same, row_security off and text output pinned (checks.md): reads data */
    CONN_WRITER,      /* the same pinned text, session_replication_role replica where allowed */
    CONN_REPLICATION, /* replication=database, wal_sender_timeout 0 from 12 on */
    CONN_BOUNCER,     /* PgBouncer's console: no session to set up */
};

struct conn_options {
    enum conn_side side;
    enum conn_profile profile;
    const char *role;     /* application_name becomes "pgcutover:<role>" */
    const char *dbname;   /* overrides the conninfo's, may be NULL */
    int connect_timeout_ms; /* 0: 15 s */
};

struct conn {
    PGconn *pg;          /* owned; NULL when closed */
    char *label;         /* owned: "source db1:5432/shop" for messages */
    enum conn_side side;
    int version;         /* PQserverVersion: 150020 */
    int timeout_ms;      /* deadline of each statement, 0 none; the caller may set it */
    int64_t until_ms;    /* deadline of all of them together, monotonic, 0 none; the caller may set it */
    bool replica_role;   /* CONN_WRITER: session_replication_role could be set */
    int recorded;        /* statements of the open transaction that are in the record */
};

#define CONN_INIT {0}

/* Connects and sets the session up. On error c is closed; err names the server, the SQLSTATE where
 * the server gave one, and a hint for the usual causes (nobody listens, pg_hba.conf, password,
 * database or role missing). Refusals of authentication are not retryable, the rest is. */
bool conn_open(struct conn *c, const struct conninfo *info, const struct conn_options *options,
               struct err *err);
void conn_close(struct conn *c);
bool conn_is_open(const struct conn *c);

/* Run one statement (exec: several, no parameters) and wait for the last result. The result is
 * owned by the caller (PQclear), NULL on error. Values are text; NULL is SQL null. */
PGresult *conn_exec(struct conn *c, const char *sql, struct err *err);
PGresult *conn_exec_params(struct conn *c, const char *sql, int count, const char *const *values,
                           struct err *err);
/* For statements whose rows nobody reads. */
bool conn_command(struct conn *c, const char *sql, struct err *err);
bool conn_commandf(struct conn *c, struct err *err, const char *fmt, ...) PGC_PRINTF(3, 4);
bool conn_command_params(struct conn *c, const char *sql, int count, const char *const *values,
                         struct err *err);
/* The first column of the first row as an owned string; *value is NULL when there is no row or it
 * is null. */
bool conn_scalar(struct conn *c, const char *sql, int count, const char *const *values,
                 char **value, struct err *err);
/* ROLLBACK without a word, for clean-up after an error. */
void conn_rollback(struct conn *c);

/* Waits until the socket is readable (or writable, when for_write), at most timeout_ms (<0: the
 * conn's own deadline). 1 ready, 0 timed out, -1 with err set (stopped). extra_fd (or -1) wakes it too. */
int conn_wait(struct conn *c, bool for_write, int timeout_ms, int extra_fd, struct err *err);
/* Waits for the next result of what was sent (PQgetResult): *res NULL at the end. */
bool conn_next_result(struct conn *c, PGresult **res, struct err *err);
/* Flushes what libpq holds back, reading meanwhile. */
bool conn_flush(struct conn *c, struct err *err);
/* Asks the server to cancel what runs; waits for nothing. */
void conn_cancel(struct conn *c);

/* Fills err from a failed result (or, res NULL, from the connection): "<label>: <primary message>",
 * sqlstate, detail with the server's detail, context and the statement (sql may be NULL; shortened),
 * the server's hint, retryable by SQLSTATE class. ERR_CONNECTION when the connection is gone. */
void conn_error(struct conn *c, const PGresult *res, const char *sql, struct err *err);
/* True for SQLSTATEs after which the same may succeed: classes 08, 40, 53, 57P0x, 55006, 55P03, 57014. */
bool sqlstate_is_retryable(const char *sqlstate);

#endif
