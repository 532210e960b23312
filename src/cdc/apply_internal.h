/* What the files of the applier share. */
#ifndef PGC_CDC_APPLY_INTERNAL_H
#define PGC_CDC_APPLY_INTERNAL_H

#include "cdc/apply.h"
#include "cdc/apply_cache.h"
#include "cdc/apply_pipe.h"
#include "cdc/apply_state.h"
#include "cdc/gather.h"

/* Several source transactions in one of the target's (on each of its lanes). */
struct apply_group {
    bool flying;            /* sent: its results are to be read, its commits to be sent */
    bool in_pieces;         /* lane 0's transaction is open, and holds what was gathered before */
    bool durable;           /* its commit waits for the target's disk */
    int64_t transactions;   /* complete ones */
    int64_t changes;
    lsn_t commit_lsn;       /* of the last complete one */
    lsn_t end_lsn;
    int64_t commit_us;
    lsn_t mark_lsn;         /* nothing of ours between end_lsn and this */
    struct apply_table *touched;
    int64_t conflicts;      /* that were gone over */
    bool tables_changed;    /* pgcutover.tables: which there are, their names or modes */
};

/* A second reading of the stream for the detached tables. */
struct apply_catch_up {
    bool on;
    lsn_t until;    /* where the stream is: transactions that commit from here on are not for the pass */
    lsn_t done_lsn; /* end of its last transaction */
};

/* One connection to the target. */
struct apply_lane {
    struct applier *applier; /* borrowed */
    int number;
    struct conn *conn; /* borrowed */
    struct apply_pipe pipe;
    struct apply_cache cache;
    bool open;              /* BEGIN was sent */
    bool progress_prepared; /* lane 0 */
    struct apply_bins *bins; /* owned: rows that gather to one statement */
};

struct applier {
    struct apply_lane *lanes; /* owned */
    size_t lane_count;
    struct applier_options options;
    struct apply_tables tables;
    struct applier_status status; /* as committed */
    struct applier_status shown;  /* as the caller sees it: durable */
    bool unsynced;                /* something was committed that may not be durable yet */
    int64_t unsynced_since_ms;    /* ... when the first of it was */

    bool in_transaction; /* of the source */
    bool skipping;       /* it was applied before */
    lsn_t commit_lsn;
    int64_t commit_us;
    uint32_t xid;
    size_t gathered_before;  /* bytes and changes of the gathering, when it began */
    size_t changes_before;

    struct gather gather;
    struct apply_group group;    /* that is gathered */
    struct apply_group sent;     /* that the servers work on */
    struct apply_half half;      /* that has to be made whole first */
    struct apply_catch_up catch_up;
    uint32_t ddl_relation;       /* the log of schema changes; 0: not met yet */
    lsn_t careful_lsn;           /* commit of a transaction in which changes fail */
    bool hit_none;               /* the change that failed last hit no row */
    lsn_t single_until;          /* transactions that commit up to here get a group each */
    struct apply_table *changed; /* counters that nobody took yet */
    bool sources_changed;        /* some table has source_changed */
    int64_t passed_written_ms;   /* monotonic */

    const char **values; /* parameters of the statement being sent */
    int *lengths;
    int *formats;
    size_t parameter_cap;
    struct buf sql;      /* TRUNCATE */
    struct {
        uint32_t oid;
        const char *kind;      /* borrowed, and so is why */
        const struct err *why;
    } asked_stop;               /* of applier_stop_table() */
    struct apply_table *failed; /* the table that the error is about, NULL: none */
    char *failed_row;    /* owned: its values as JSON */
    char failure_table[256];
    char failure_key[PIPE_KEY_SIZE];
};

/* --- apply.c --- */

/* What every public call does around its act: errors roll back, and are settled where the policy can. */
bool apply_call(struct applier *applier, bool (*act)(struct applier *applier, struct err *err),
                struct err *err);

/* Reads where lane 0 is, and which lanes are ahead of it. Nothing may be on its way. */
bool apply_read_place(struct applier *applier, struct err *err);

/* --- apply_lane.c --- */

/* Takes the locks of all lanes, sets the sessions up, and begins the pipelines. */
bool apply_lanes_open(struct applier *applier, struct conn *targets, struct err *err);
/* Leaves the sessions usable, without locks. */
void apply_lanes_close(struct applier *applier);
bool apply_lanes_are_usable(const struct applier *applier);
/* Sends what libpq still holds for any lane, without waiting. */
void apply_lanes_push(struct applier *applier);
/* After an error: all are rolled back. False where one is of no use any more; all are closed then. */
bool apply_lanes_recover(struct applier *applier);
bool apply_lane_begin(struct apply_lane *lane, struct err *err);
/* A question to lane 0, inside its transaction or outside of any. Owned by the caller. */
PGresult *apply_ask(struct applier *applier, const char *sql, int count, const char *const *values,
                    struct err *err);

/* --- apply_target.c --- */

/* Reads what the target's table is like and makes the map. */
bool apply_resolve(struct applier *applier, struct apply_table *table, struct err *err);
/* Drops the map and every statement made with it; nothing of it may be on its way, or gathered. */
bool apply_unmap(struct applier *applier, struct apply_table *table, bool deallocate,
                 struct err *err);
bool apply_evict(struct apply_lane *lane, struct err *err);
bool apply_read_tables(struct applier *applier, struct err *err);

/* --- apply_row.c --- */

/* The stream takes what is not detached, a catch-up pass what is, and from its own place on. */
bool apply_is_its_turn(const struct applier *applier, const struct apply_table *table);
/* The table of a relation when its changes are wanted in this transaction; else *table is NULL. */
bool apply_wanted(struct applier *applier, uint32_t relation, struct apply_table **table,
                  struct err *err);
/* Gathers a change. */
bool apply_row(struct applier *applier, const struct change *change, struct err *err);
bool apply_truncate(struct applier *applier, const struct change *change, struct err *err);
/* The pipe's judge. */
bool apply_judge(void *arg, const struct pipe_entry *entry, const PGresult *res, struct err *err);
/* Notes where an error happened and puts it before the message. */
void apply_blame(struct applier *applier, const struct pipe_entry *entry, struct err *err);
/* "(id)=(5)", shortened. */
void apply_describe_key(const struct apply_table *table, const struct change *change,
                        char out[PIPE_KEY_SIZE]);
/* Is a source column written by an UPDATE? */
bool apply_must_write(const struct apply_table *table, const struct change *change, size_t column);

/* --- apply_ddl.c --- */

/* Remembers the relation when it is the log of schema changes. */
void apply_note_ddl_log(struct applier *applier, const struct change *relation);
/* Carries out a change of the log: everything before it has been sent, and what follows waits for it. */
bool apply_ddl(struct applier *applier, const struct change *change, struct err *err);

/* --- apply_send.c --- */

/* How a group's operations are spread over lanes. */
struct apply_spread {
    int lanes;               /* with one all is for lane 0 */
    uint32_t done;           /* redo: bits of lanes whose part is there; the rest goes to lane 0 */
    bool redo;               /* a group that is there by half is made whole */
    const uint32_t *ordered; /* redo: tables that were on one lane each; borrowed */
    size_t ordered_count;
};

/* Which lanes have something to do: bits. */
uint32_t apply_spread_mask(const struct applier *applier, const struct apply_spread *spread);
/* Sends what was gathered of a table, to each lane what is its. */
bool apply_send_table(struct applier *applier, const struct apply_spread *spread,
                      struct apply_table *table, struct err *err);
/* Is the table on one lane as a whole? */
bool apply_is_together(const struct apply_spread *spread, const struct apply_table *table);
void apply_bins_free(struct apply_bins *bins);

/* --- apply_careful.c --- */

/* Is the transaction at hand one in which changes fail? */
bool apply_is_careful(const struct applier *applier);
/* May the policy go on over this error? */
bool apply_may_go_over(const struct applier *applier, const struct err *err);
/* Applies a change, or, where it does not fit, what the policy says; *applied: it is to be counted. */
bool apply_carefully(struct applier *applier, struct apply_table *table, const struct change *change,
                     bool *applied, struct err *err);

/* --- apply_conflict.c --- */

/* Is the error about a table's own matters: its rows, definition or triggers? */
bool apply_is_tables_own(const struct applier *applier, const struct err *err);

/* After a failure that was rolled back: what the policy says is done to it. True: feed again. */
bool apply_settle(struct applier *applier, const struct err *err);
/* The values of a change as JSON, by column name; owned. NULL when they are too large to be kept. */
char *apply_row_json(const struct apply_table *table, const struct change *change);

/* --- apply_behind.c --- */

/* The least LSN from which on the stream is needed. */
lsn_t apply_needed_lsn(const struct applier *applier);
/* Ends a pass without a word: its tables keep their places. */
void apply_abandon_catch_up(struct applier *applier);
/* Puts a table on the list of what the caller should learn. */
void apply_report(struct applier *applier, struct apply_table *table);
/* All tables that have news. */
void apply_report_news(struct applier *applier);

/* --- apply_group.c --- */

/* Is anything of the present group gathered or sent? */
bool apply_group_is_open(const struct applier *applier);
/* Sends the group, once the one before is committed; its own results are read later. */
bool apply_group_seal(struct applier *applier, bool durable, struct err *err);
/* Sends what is gathered in the midst of a group, on lane 0: whatever comes next comes behind it. */
bool apply_group_piece(struct applier *applier, struct err *err);
/* Reads the results of the group that was sent, and commits it. */
bool apply_group_finish(struct applier *applier, struct err *err);
/* Both; durable: and everything that was committed before is durable, too. */
bool apply_group_commit(struct applier *applier, bool durable, struct err *err);
/* Records that the group changes a table. */
void apply_touch(struct applier *applier, struct apply_table *table, enum apply_count what);
/* ... or that it is to be told of the group's end. */
void apply_join(struct applier *applier, struct apply_table *table);
/* After an error: rolls back, and prepares for another try or for the connection's end. */
void apply_group_fail(struct applier *applier, struct err *err);
/* Relation messages since the last boundary are kept for good. */
void apply_keep_sources(struct applier *applier);
/* Back to the definitions that held at the last boundary that was kept. Nothing may be on its way. */
bool apply_restore_sources(struct applier *applier, struct err *err);

#endif
