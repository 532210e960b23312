/* What the target's pgcutover schema tells an applier: its place, and the tables of the migration;
 * and what it keeps about each of them. */
#ifndef PGC_CDC_APPLY_STATE_H
#define PGC_CDC_APPLY_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "cdc/apply_cache.h"
#include "cdc/gather.h"
#include "cdc/statements.h"
#include "cdc/target.h"
#include "pg/conn.h"
#include "pg/lsn.h"

enum apply_count { COUNT_INSERTS, COUNT_UPDATES, COUNT_DELETES, COUNT_TRUNCATES, COUNT_KINDS };

struct apply_table {
    uint32_t source_oid;
    char *source_name; /* schema.name, quoted: the key of by_name */
    char *display;     /* the target's name for messages */
    char *target_schema;
    char *target_name;
    bool sync;         /* else at cutover: its changes are ignored */
    bool ready;        /* loaded: epoch_lsn is known */
    lsn_t epoch_lsn;
    lsn_t behind_lsn;  /* detached: the stream passes over it; its changes from here on wait. 0: not */
    bool is_stopped;   /* detached, and waits for somebody */
    struct err stop;   /* ... because of this */
    int64_t conflicts; /* kept in pgcutover.conflicts */

    struct source_table source; /* as the last Relation message had it; name NULL: none came */
    struct source_table before; /* ... before the open group, while source_changed */
    bool source_changed;
    bool mapped;
    bool was_in_order;          /* the columns, on both sides */
    struct target_table target;
    struct table_map map;
    struct apply_statement **statements; /* by lane; owned, while mapped */
    struct gather_table gathered;

    int64_t counts[COUNT_KINDS];  /* committed on the target */
    int64_t pending[COUNT_KINDS]; /* in the group that is gathered */
    int64_t flying[COUNT_KINDS];  /* in the group that was sent */
    bool touched;                 /* in the list of the group that is gathered */
    bool is_flying;               /* in the list of the group that was sent */
    bool reported;                /* all of it is as the caller knows it */
    bool has_news;                /* read_tables saw something that is to be reported */
    struct apply_table *next_touched;
    struct apply_table *next_flying;
    struct apply_table *next_changed;
    UT_hash_handle by_oid;
    UT_hash_handle by_name;
};

/* A relation that is not ours but has the name of one that is: dropped and made again. */
struct apply_stranger {
    uint32_t oid;
    struct apply_table *namesake; /* borrowed */
    UT_hash_handle hh;
};

struct apply_tables {
    size_t waiting_count; /* detached tables that may be caught up */
    lsn_t least_behind;   /* the least place of a detached table; 0: none is */
    struct apply_table *by_oid;
    struct apply_table *by_name;
    struct apply_stranger *strangers;
};

struct apply_table *apply_tables_find(const struct apply_tables *tables, uint32_t oid);
/* Remembers a relation that is not of the migration, if its name is. */
void apply_tables_note_stranger(struct apply_tables *tables, const struct change *relation);
/* The table that had the name of this relation when the migration was set up, or NULL. */
struct apply_table *apply_tables_namesake(const struct apply_tables *tables, uint32_t oid);
bool apply_table_is_detached(const struct apply_table *table);
bool apply_table_may_catch_up(const struct apply_table *table);
/* Looks which tables are detached, after their places changed. */
void apply_tables_survey(struct apply_tables *tables);
/* Takes over what sql/apply_tables gave. Returns a table that has changes in the open group and was
 * loaded again or detached meanwhile, or NULL. */
const struct apply_table *apply_tables_read(struct apply_tables *tables, const PGresult *rows);
void apply_tables_release(struct apply_tables *tables);

/* Waits for the lane's lock, at most timeout_ms: ERR_TIMEOUT, retryable, names who holds it. */
bool apply_lock(struct conn *conn, int lane, int timeout_ms, struct err *err);
/* A group of which some lanes have committed their part, and lane 0, which commits last, has not. */
struct apply_half {
    lsn_t end_lsn;    /* of its last transaction; 0: there is no such group */
    int lanes;        /* over how many it was spread */
    uint32_t done;    /* bit n: lane n has committed its part */
    uint32_t *ordered; /* owned: OIDs of its tables that went to one lane each */
    size_t ordered_count;
};

void apply_half_release(struct apply_half *half);

/* Makes the row of a lane that has none. */
bool apply_start_lane(struct conn *conn, int lane, lsn_t start_lsn, struct err *err);
/* Reads where lane 0, that is the whole, stands, and what other lanes have beyond that. */
bool apply_position(struct conn *conn, lsn_t *end_lsn, int64_t *commit_us, struct apply_half *half,
                    struct err *err);

#endif
