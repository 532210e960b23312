/* What the files of the applier share. */
#ifndef PGC_CDC_APPLY_INTERNAL_H
#define PGC_CDC_APPLY_INTERNAL_H

#include "cdc/apply.h"
#include "cdc/apply_cache.h"
#include "cdc/apply_pipe.h"
#include "cdc/apply_state.h"

/* Several source transactions in one of the target's. */
struct apply_group {
    bool open;              /* BEGIN was sent */
    int64_t transactions;   /* complete ones */
    int64_t changes;
    int64_t bytes;
    lsn_t commit_lsn;       /* of the last complete one */
    lsn_t end_lsn;
    int64_t commit_us;
    lsn_t mark_lsn;         /* nothing of ours between end_lsn and this */
    struct apply_table *touched;
    bool tables_changed;    /* pgcutover.tables: which there are, their names or modes */
};

/* INSERTs into one table that wait to be sent as one statement. */
struct apply_batch {
    struct apply_table *table; /* borrowed; NULL: empty */
    size_t rows;
    struct buf bytes;          /* values, NUL behind each */
    struct batch_value {
        size_t offset;
        int len;               /* -1: null */
        bool binary;
    } *values;                 /* by row, in the order of the statement's parameters */
    size_t count;
    size_t cap;
};

/* A second reading of the stream for the detached tables. */
struct apply_catch_up {
    bool on;
    lsn_t until;    /* where the stream is: transactions that commit from here on are not for the pass */
    lsn_t done_lsn; /* end of its last transaction */
};

struct applier {
    struct conn *conn; /* borrowed */
    struct applier_options options;
    struct apply_pipe pipe;
    struct apply_cache cache;
    struct apply_tables tables;
    struct applier_status status;

    bool in_transaction; /* of the source */
    bool skipping;       /* it was applied before */
    lsn_t commit_lsn;
    int64_t commit_us;
    uint32_t xid;

    struct apply_group group;
    struct apply_catch_up catch_up;
    uint32_t ddl_relation;    /* the log of schema changes; 0: not met yet */
    lsn_t single_until;       /* transactions that commit up to here get a group each */
    struct apply_table *changed; /* counters that nobody took yet */
    bool sources_changed;     /* some table has source_changed */
    bool progress_prepared;
    int64_t passed_written_ms; /* monotonic */

    struct apply_batch batch;
    bool batch_failed;   /* the error is of a batched change: which one is not known */
    const char **values; /* parameters of the statement being sent */
    int *lengths;
    int *formats;
    size_t parameter_cap;
    uint64_t *set;
    size_t set_cap;
    struct buf sql;      /* TRUNCATE */
    struct apply_table *failed; /* the table that the error is about, NULL: none */
    char *failed_row;    /* owned: its values as JSON */
    char failure_table[256];
    char failure_key[PIPE_KEY_SIZE];
};

/* --- apply.c --- */

/* What every public call does around its act: errors roll back, and are settled where the policy can. */
bool apply_call(struct applier *applier, bool (*act)(struct applier *applier, struct err *err),
                struct err *err);

/* --- apply_target.c --- */

/* Reads what the target's table is like and makes the map. */
bool apply_resolve(struct applier *applier, struct apply_table *table, struct err *err);
/* Drops the map and every statement made with it; nothing of it may be on its way. */
bool apply_unmap(struct applier *applier, struct apply_table *table, bool deallocate,
                 struct err *err);
bool apply_evict(struct applier *applier, struct err *err);
bool apply_read_tables(struct applier *applier, struct err *err);

/* --- apply_row.c --- */

/* The stream takes what is not detached, a catch-up pass what is, and from its own place on. */
bool apply_is_its_turn(const struct applier *applier, const struct apply_table *table);
/* The table of a relation when its changes are wanted in this transaction; else *table is NULL. */
bool apply_wanted(struct applier *applier, uint32_t relation, struct apply_table **table,
                  struct err *err);
bool apply_row(struct applier *applier, const struct change *change, struct err *err);
bool apply_truncate(struct applier *applier, const struct change *change, struct err *err);
/* The pipe's judge. */
bool apply_judge(void *arg, const struct pipe_entry *entry, const PGresult *res, struct err *err);
/* Notes where an error happened and puts it before the message. */
void apply_blame(struct applier *applier, const struct pipe_entry *entry, struct err *err);

void apply_need_parameters(struct applier *applier, size_t count);
struct pipe_entry *apply_add_entry(struct applier *applier, struct apply_table *table,
                                   struct apply_statement *statement, enum change_kind kind);
bool apply_prepare(struct applier *applier, struct apply_table *table,
                   struct apply_statement *statement, struct err *err);

/* --- apply_ddl.c --- */

/* Remembers the relation when it is the log of schema changes. */
void apply_note_ddl_log(struct applier *applier, const struct change *relation);
/* Carries out a change of the log: everything before it has been sent, and what follows waits for it. */
bool apply_ddl(struct applier *applier, const struct change *change, struct err *err);

/* --- apply_batch.c --- */

/* May this INSERT wait for others? */
bool apply_batch_takes(const struct applier *applier, const struct apply_table *table,
                       const struct change *change);
bool apply_batch_add(struct applier *applier, struct apply_table *table, const struct change *change,
                     struct err *err);
/* Sends what waits: before anything else is sent in a group. */
bool apply_batch_send(struct applier *applier, struct err *err);
void apply_batch_clear(struct apply_batch *batch);
void apply_batch_release(struct apply_batch *batch);

/* --- apply_conflict.c --- */

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

bool apply_group_open(struct applier *applier, struct err *err);
bool apply_group_commit(struct applier *applier, struct err *err);
/* Records that the open group changes a table. */
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
