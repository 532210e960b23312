/* Applies changes of the source to the target, in commit order, its progress in the same transactions.
 *
 * The caller feeds decoded messages in the stream's order with applier_change(), and calls applier_commit() or
 * applier_flush() whenever no more input is there. Several source transactions may become one target
 * transaction (a group) while behind; with such a call after each, every one is its own. A group is worked on
 * by several connections side by side where it is large enough.
 *
 * After an error the open group is rolled back, and what was applied is as applier_status() says. While
 * the connection lives the applier can go on: read the stream again from applied_lsn. When it is gone
 * (conn_is_open() false), close the applier, connect and open again: the target's progress row decides
 * what was applied, also where a COMMIT's answer was lost. */
#ifndef PGC_CDC_APPLY_H
#define PGC_CDC_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cdc/decode.h"
#include "pg/conn.h"
#include "pg/lsn.h"

/* What to do with a change that does not fit the target's rows. */
enum applier_policy {
    APPLIER_FAILS,       /* it is an error of the applier */
    APPLIER_STOPS_TABLE, /* its table is detached, the others go on */
    APPLIER_SKIPS,       /* it is kept in pgcutover.conflicts, and left out */
    APPLIER_UPSERTS,     /* ... and made to fit; where that cannot be, its table is detached */
};

#define APPLIER_LANES_MAX 16

/* What following the source's schema changes needs beside the connection. */
struct applier_ddl {
    const char *log_schema; /* of the log on the source (load/ddl_log.h) */
    void *arg;
    /* Runs a statement of the target outside of the applier's transaction, to stay whatever becomes of it. */
    bool (*aside)(void *arg, const char *sql, struct err *err);
    /* An event for people; level as of migration_event(). */
    void (*tell)(void *arg, const char *level, const char *text);
    /* The role of the target that stands for one of the source; borrowed until the next call. NULL: each for itself. */
    const char *(*role)(void *arg, const char *name);
};

struct applier_options {
    int lanes;                 /* connections that work side by side; 0: 1 */
    int64_t lanes_changes;     /* a group of fewer changes is for one of them; 0: 500 */
    enum applier_policy on_conflict;
    int64_t max_group_changes; /* of one target transaction; 0: 400,000. A source transaction is never cut */
    int64_t max_group_bytes;   /* memory for what is gathered; 0: 96 MiB */
    lsn_t start_lsn;           /* where an applier without progress begins; LSN_INVALID: that is an error */
    bool same_types;           /* the target was made like the source: another type there is an error */
    size_t max_statements;     /* prepared at a time on a lane; 0: 2,000 */
    const struct applier_ddl *ddl; /* borrowed; NULL: schema changes are not followed */
    int lock_timeout_ms;       /* wait for an earlier applier to end; 0: 30 s */
};

/* The change at which an error happened; strings are borrowed until the next call. */
struct applier_failure {
    const char *table; /* of the target, for messages; NULL: no table's error */
    const char *kind;  /* "INSERT", "UPDATE", "DELETE", "TRUNCATE", "COMMIT" */
    const char *key;   /* "(id)=(5)", shortened; "" where there is none */
    lsn_t commit_lsn;  /* of the source transaction */
    uint32_t xid;
};

struct applier_status {
    lsn_t applied_lsn;         /* end of the last source transaction committed on the target */
    int64_t applied_commit_us; /* its commit time, source clock; 0: none yet */
    int64_t visible_us;        /* when it was committed on the target, our clock */
    /* Everything before is applied or concerned no table of ours. Never below applied_lsn, and above it
     * only by what had nothing to apply. Moves only while no group is open. */
    lsn_t passed_lsn;
    int64_t passed_commit_us;  /* commit time of the last transaction before passed_lsn */
    int64_t transactions;      /* source transactions committed on the target since the opening */
    int64_t changes;           /* the same of changes */
    int64_t groups;            /* target transactions */
    int64_t ignored;           /* changes of tables that are not of the migration or wait for cutover */
    int64_t table_changes;     /* committed groups that changed what tables there are, their names or modes */
    int64_t covered;           /* changes that the table's snapshot already had */
    /* After an error: feed again from applied_lsn. Transactions and changes are then applied one by one,
     * so that all before the bad one get applied, and its error names the very row; or, by the policy,
     * the bad one was taken care of. */
    bool retry_single;
    lsn_t needed_lsn;          /* what commits from here on is needed: applied_lsn, or less for detached tables */
    struct applier_failure failure;
};

struct applier_table {
    uint32_t source_oid;
    const char *target_schema; /* borrowed until the next call */
    const char *target_name;
    int64_t inserts;           /* committed totals, as in pgcutover.tables */
    int64_t updates;
    int64_t deletes;
    int64_t truncates;
    int64_t conflicts;         /* kept in pgcutover.conflicts */
    bool is_behind;            /* the stream passes over it, until a catch-up pass has brought it here */
    const struct err *stopped; /* ... and that waits for this to be mended; NULL: no. Borrowed */
};

struct applier;

/* Takes the lanes' locks and reads where they stand. targets: options->lanes connections (CONN_WRITER; where
 * session_replication_role could not be set only the first is used), borrowed until applier_close(), and not
 * to be used otherwise meanwhile. NULL on error; ERR_TIMEOUT (retryable)
 * when an earlier applier's session still lives, ERR_PREREQUISITE without a state schema. */
struct applier *applier_open(struct conn *targets, const struct applier_options *options,
                             struct err *err);
/* Rolls an open group back, leaves the session usable, and releases the applier. NULL is fine. */
void applier_close(struct applier *applier);

/* Takes one change; its values are not used after the return. An error may be about one that was taken
 * before. Errors: ERR_CONFLICT (a change does not
 * fit the target: rows, columns, constraints), ERR_PREREQUISITE (a table is not loaded yet: retryable;
 * triggers that would fire), ERR_SERVER and ERR_CONNECTION as the server has it, ERR_PROTOCOL. */
bool applier_change(struct applier *applier, const struct change *change, struct err *err);
/* Commits what is complete: others see it at once, durable it is later (by another call, soon, or by
 * applier_flush()). Not inside a source transaction. */
bool applier_commit(struct applier *applier, struct err *err);
/* Commits what is complete, durably, with everything before. Not inside a source transaction. */
bool applier_flush(struct applier *applier, struct err *err);
/* Is no group there by half, as a crash may leave one, that has to be made whole by what comes next? */
bool applier_is_whole(const struct applier *applier);
/* Is everything that was committed durable, and so in the status? */
bool applier_is_durable(const struct applier *applier);
/* Notes, between transactions, that every transaction that commits before lsn has been fed: an idle
 * source's position moves on. */
void applier_mark(struct applier *applier, lsn_t lsn);
/* Reads pgcutover.tables again (tables added, loaded again, detached); only between transactions. A group
 * that meets a table loaded again or detached fails by itself, retryable, and nothing of it stays. */
bool applier_reload_tables(struct applier *applier, struct err *err);

/* Detached tables. The stream passes over a table while pgcutover.tables has a behind_lsn for it; what it
 * misses must stay readable (needed_lsn). A catch-up pass reads the stream from behind_lsn a second time and
 * applies that table's changes alone; when it has come to where the stream is, the table is back in it.
 *
 * True when a pass is wanted, between transactions: *from is where to read from. */
bool applier_wants_catch_up(const struct applier *applier, lsn_t *from);
/* From here on what is fed is a pass: everything from `from` on, up to the first transaction that commits at
 * *until or later, or to the end of what there is. An error ends the pass; the tables keep their places. */
bool applier_begin_catch_up(struct applier *applier, lsn_t *until, struct err *err);
bool applier_end_catch_up(struct applier *applier, struct err *err);
/* Stopped tables may go on: whatever stopped them was mended. Only between transactions. */
bool applier_retry_stopped(struct applier *applier, struct err *err);

/* Takes a table out of the stream at the place where it is, as an error in one of its changes would, because of this (ERR_CONFLICT,
 * borrowed) that came by a statement of that kind ("TRUNCATE", borrowed). One that is stopped already, or is none of ours, is success. Only between transactions, while it is whole. */
bool applier_stop_table(struct applier *applier, uint32_t source_oid, const char *kind, const struct err *why, struct err *err);

/* Borrowed; always up to date, but that it tells only of what is durable on the target. */
const struct applier_status *applier_status(const struct applier *applier);
/* Is there a table whose counters or standing changed since it was last taken? */
bool applier_has_changed(const struct applier *applier);
/* Takes the next such table; false: no more. */
bool applier_next_changed(struct applier *applier, struct applier_table *table);

#endif
