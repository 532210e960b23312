/* Applies changes of the source to the target, in commit order, its progress in the same transactions.
 *
 * The caller feeds decoded messages in the stream's order with applier_change(), and calls
 * applier_flush() whenever no more input is there. Several source transactions may become one target
 * transaction (a group) while behind; with a flush after each, every one is its own.
 *
 * After an error the open group is rolled back, and what was applied is as applier_status() says. While
 * the connection lives the applier can go on: read the stream again from applied_lsn. When it is gone
 * (conn_is_open() false), close the applier, connect and open again: the target's progress row decides
 * what was applied, also where a COMMIT's answer was lost.
 *
 * One applier serves one lane: whoever distributes changes over K lanes runs K of them. */
#ifndef PGC_CDC_APPLY_H
#define PGC_CDC_APPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cdc/decode.h"
#include "pg/conn.h"
#include "pg/lsn.h"

struct applier_options {
    int lane;
    int64_t max_group_changes; /* of one target transaction; 0: 50,000. A source transaction is never cut */
    int64_t max_group_bytes;   /* the same in bytes of values; 0: 64 MiB */
    lsn_t start_lsn;           /* where a lane without progress begins; LSN_INVALID: that is an error */
    bool same_types;           /* the target was made like the source: another type there is an error */
    size_t max_statements;     /* prepared at a time; 0: 2,000 */
    int lock_timeout_ms;       /* wait for an earlier applier of the lane to end; 0: 30 s */
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
    /* Everything before is applied or concerned no table of ours. Never below applied_lsn, and above it
     * only by what had nothing to apply. Moves only while no group is open. */
    lsn_t passed_lsn;
    int64_t passed_commit_us;  /* commit time of the last transaction before passed_lsn */
    int64_t transactions;      /* source transactions committed on the target since the opening */
    int64_t changes;           /* the same of changes */
    int64_t groups;            /* target transactions */
    int64_t ignored;           /* changes of tables that are not of the migration or wait for cutover */
    int64_t covered;           /* changes that the table's snapshot already had */
    /* After an error: feed again from applied_lsn. Transactions and changes are then applied one by one,
     * so that all before the bad one get applied, and its error names the very row. */
    bool retry_single;
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
};

struct applier;

/* Takes the lane's lock and reads where it stands. target (CONN_WRITER) is borrowed until
 * applier_close() and must not be used otherwise meanwhile. NULL on error; ERR_TIMEOUT (retryable)
 * when an earlier applier's session still lives, ERR_PREREQUISITE without a state schema. */
struct applier *applier_open(struct conn *target, const struct applier_options *options,
                             struct err *err);
/* Rolls an open group back, leaves the session usable, and releases the applier. NULL is fine. */
void applier_close(struct applier *applier);

/* Applies one change. Its values are not used after the return. Errors: ERR_CONFLICT (a change does not
 * fit the target: rows, columns, constraints), ERR_PREREQUISITE (a table is not loaded yet: retryable;
 * triggers that would fire), ERR_SERVER and ERR_CONNECTION as the server has it, ERR_PROTOCOL. */
bool applier_change(struct applier *applier, const struct change *change, struct err *err);
/* Commits what is complete. Inside a source transaction it only sends what was not sent yet. */
bool applier_flush(struct applier *applier, struct err *err);
/* Notes, between transactions, that every transaction that commits before lsn has been fed: an idle
 * source's position moves on. */
void applier_mark(struct applier *applier, lsn_t lsn);
/* Reads pgcutover.tables again (tables added or loaded again); only between transactions. A group
 * that meets a table loaded again fails by itself, retryable, and nothing of it stays. */
bool applier_reload_tables(struct applier *applier, struct err *err);

/* Borrowed; always up to date. */
const struct applier_status *applier_status(const struct applier *applier);
/* Takes the next table whose counters changed since it was last taken; false: no more. */
bool applier_next_changed(struct applier *applier, struct applier_table *table);

#endif
