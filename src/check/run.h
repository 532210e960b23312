/* Inside of check/: the shape of a check, and what checks written in C use. */
#ifndef PGC_CHECK_RUN_H
#define PGC_CHECK_RUN_H

#include "base/buf.h"
#include "check/check.h"

/* When a check is made; all that are set must hold. */
enum check_when {
    WHEN_SYNC = 1,       /* changes are streamed: not with sync.mode load-only */
    WHEN_COPY = 2,       /* schema.mode copy */
    WHEN_EXISTING = 4,   /* schema.mode existing */
    WHEN_READ_ONLY = 8,  /* cutover.stopWrites read-only */
    WHEN_TARGET_DB = 16, /* the target database exists, and the target connection is to it */
    WHEN_NO_TARGET_DB = 32,
    WHEN_DEEP = 512,         /* check_context.deep */
    WHEN_FALLBACK = 1024,    /* cutover.fallback */
    WHEN_ROLES = 2048,       /* schema.roles */
    WHEN_DDL_APPLY = 128,    /* sync.ddl apply */
    WHEN_NOT_BACK = 256,     /* not the way back of another, whose source is frozen and has its schema */
    WHEN_NOT_TRUNCATED = 64, /* load.prepare is not truncate */
};

/* What goes in as $1. */
enum check_args {
    ARGS_NONE,
    ARGS_PICKED,      /* oid[]: the picked tables */
    ARGS_KEYLESS,     /* oid[]: those of them without a usable identity that are to be synced as they are */
    ARGS_AGE,         /* seconds: check_context.long_transaction_s */
    ARGS_CONNECTIONS, /* how many connections the migration opens on one side */
    ARGS_EXTENSIONS,  /* text[]: the extensions of the source */
    ARGS_OWNERS,      /* text[]: the owners of the picked tables */
};

struct check_run {
    const struct check_context *context;
    struct findings *findings;
    struct check_measured *measured;
    const char *provider; /* "rds", "azure", ... or "": whose service check->side is */
    char *providers[2];   /* by enum conn_side */
};

/* One check: exactly one of sql, table and run.
 *
 * sql: each row is one thing found: item, and where it has them fix and undo columns.
 * table: called for each picked table; true: it is one of the things found.
 * In `found`, "{items}" stands for the things found. In the fix and undo of a table check "{table}",
 * "{user}", "{owner}" and "{schema}" stand for quoted names; otherwise the fix goes before those of
 * the rows. */
struct check {
    const char *id;
    char severity;
    enum conn_side side;
    unsigned when;
    unsigned again; /* enum check_moment: made once more then; such a check needs no catalog and no tables */
    int min_version; /* server_version_num of its side; 0: any */
    int max_version; /* the first version it is not made on; 0: any */
    int target_version; /* made only for a target of this version or later; 0: any */
    const char *found;
    const char *why;
    const char *fix;
    const char *undo;
    enum finding_needs needs;
    bool lasts; /* its fix is not for the time of the migration alone; what wants a restart never is */
    const char *sql;
    const char *sql_pg96; /* the same for servers before 10; NULL: sql is for them too */
    enum check_args args;
    const char *grant;    /* what a role lacks that may not run sql; "{user}" stands for its quoted name */
    bool (*table)(const struct catalog_table *table, const struct table_entry *entry);
    bool (*run)(struct check_run *run, const struct check *check, struct err *err);
};

extern const struct check check_table[]; /* ended by a row without id */
extern const char *const check_other_ids[]; /* of findings that others add; ended by NULL */

/* The things one check found. */
struct items {
    struct buf list;
    struct buf fixes;
    struct buf undos;
    size_t count;
    size_t fix_count;
};

#define ITEMS_INIT {BUF_INIT, BUF_INIT, BUF_INIT, 0, 0}

/* fix and undo may be NULL; the same one is not said twice. The list names the first few and counts
 * the others. */
void items_add(struct items *items, const char *item, const char *fix, const char *undo);
void items_add_relation(struct items *items, const char *schema, const char *name);
/* Makes the check's finding out of the items, if there are any; releases them. */
void items_report(struct check_run *run, const struct check *check, struct items *items);
/* The same with another severity, e.g. where the plan has settled it. */
void items_report_as(struct check_run *run, const struct check *check, char severity,
                     struct items *items);
/* Adds the rows of a check's query. */
bool items_add_rows(struct items *items, struct conn *c, const char *sql, const char *arg,
                    struct err *err);

/* The connection and the catalog of a check's side. */
struct conn *check_conn(const struct check_run *run, const struct check *check);

/* The picked tables as text of oid[]. */
void check_add_oids(struct buf *out, const struct table_list *tables);

/* What is measured, see ahead.c. */
bool check_net(struct check_run *run, const struct check *check, struct err *err);
bool check_runway(struct check_run *run, const struct check *check, struct err *err);
/* What reads much, see deep.c. */
bool check_unique_probe(struct check_run *run, const struct check *check, struct err *err);
bool check_big_row(struct check_run *run, const struct check *check, struct err *err);
/* Checks in C, see client.c. */
bool check_same_cluster(struct check_run *run, const struct check *check, struct err *err);
bool check_version_order(struct check_run *run, const struct check *check, struct err *err);
bool check_pooler(struct check_run *run, const struct check *check, struct err *err);
bool check_clock(struct check_run *run, const struct check *check, struct err *err);
bool check_repl_conn(struct check_run *run, const struct check *check, struct err *err);
bool check_slot_probe(struct check_run *run, const struct check *check, struct err *err);
bool check_srr(struct check_run *run, const struct check *check, struct err *err);
bool check_leftover_schema(struct check_run *run, const struct check *check, struct err *err);
/* On what one server is set to and the other is not, see servers.c. */
bool check_auth(struct check_run *run, const struct check *check, struct err *err);
bool check_super_objs(struct check_run *run, const struct check *check, struct err *err);
bool check_enums(struct check_run *run, const struct check *check, struct err *err);
bool check_precreated(struct check_run *run, const struct check *check, struct err *err);
bool check_disk(struct check_run *run, const struct check *check, struct err *err);
bool check_locale(struct check_run *run, const struct check *check, struct err *err);
bool check_db_settings(struct check_run *run, const struct check *check, struct err *err);
/* On what the catalogs hold, see objects.c. */
bool check_always(struct check_run *run, const struct check *check, struct err *err);
bool check_standby(struct check_run *run, const struct check *check, struct err *err);
bool check_keyless_settled(struct check_run *run, const struct check *check, struct err *err);
bool check_partitioned(struct check_run *run, const struct check *check, struct err *err);
bool check_foreign_tables(struct check_run *run, const struct check *check, struct err *err);
/* What mappings say of rows and columns, see filters.c. */
bool check_row_filters(struct check_run *run, const struct check *check, struct err *err);
bool check_column_lists(struct check_run *run, const struct check *check, struct err *err);
bool check_final_names(struct check_run *run, const struct check *check, struct err *err);
bool check_large_objects(struct check_run *run, const struct check *check, struct err *err);
bool check_target_large_objects(struct check_run *run, const struct check *check, struct err *err);
bool check_fk_outside(struct check_run *run, const struct check *check, struct err *err);
bool check_matviews(struct check_run *run, const struct check *check, struct err *err);
bool check_event_triggers(struct check_run *run, const struct check *check, struct err *err);
bool check_encoding(struct check_run *run, const struct check *check, struct err *err);
bool check_target_objects(struct check_run *run, const struct check *check, struct err *err);
bool check_target_rows(struct check_run *run, const struct check *check, struct err *err);
bool check_target_missing(struct check_run *run, const struct check *check, struct err *err);

/* Decisions of client.c, apart from the servers. */
enum pooler_verdict { POOLER_NONE, POOLER_HINTED, POOLER_SESSION, POOLER_TRANSACTION };

/* client_pid: what the server's side of the protocol said at connecting; first, second: what two
 * statements said. A pooler answers the first question by itself. */
enum pooler_verdict pooler_verdict(int client_pid, int first, int second, const char *host,
                                   const char *port);

struct clock_sample {
    int64_t offset_us; /* the server's clock minus this host's, at the middle of the round trip */
    int64_t trip_us;   /* the round trip: the offset is right within half of it */
};

/* How far the clocks are apart for certain, 0 within the uncertainty. */
int64_t clock_skew_us(struct clock_sample one, struct clock_sample two);

#endif
