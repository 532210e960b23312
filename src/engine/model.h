/* What the supervisor knows of a migration: its databases (pipelines), their tables, live numbers.
 *
 * Memory only: the truth about data is the target's schema pgcutover, the truth about what was made
 * is the journal. One struct migration an engine; only the supervisor changes it. */
#ifndef PGC_ENGINE_MODEL_H
#define PGC_ENGINE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>
#include <uthash.h>

#include "base/err.h"
#include "pg/lsn.h"
#include "plan/plan.h"

/* The states of one database's pipeline; the ways between them are the table in pipeline.c. */
enum pipeline_state {
    PIPE_QUEUED,
    PIPE_CHECKING,
    PIPE_SCHEMA,
    PIPE_STARTING,    /* publication and slot are made */
    PIPE_LOADING,
    PIPE_CATCHING_UP, /* applying what happened while loading */
    PIPE_FINISHING,   /* foreign keys, triggers and the rest of the schema */
    PIPE_SYNCING,
    PIPE_CUTTING_OVER,
    PIPE_THAWING,     /* a cutover is being undone */
    PIPE_CLOSING,     /* past the point of no return: finishing the cutover */
    PIPE_DONE,
    PIPE_UNDOING,     /* cancel, or a failure that cannot be resumed */
    PIPE_CANCELLED,
    PIPE_FAILED,
    PIPE_STATE_COUNT
};

/* A pipeline can be held in any state; it goes on in the same state. */
enum pipeline_hold {
    HOLD_NONE,
    HOLD_PAUSED,  /* by the operator */
    HOLD_STOPPED, /* by an error that needs somebody; pipeline.error says which */
    HOLD_GOAL,    /* it went as far as it was asked to (--until) */
};

enum table_state {
    TABLE_BEFORE_LOAD,
    TABLE_LOADING,
    TABLE_LOADED,   /* rows are there, indexes wanted */
    TABLE_INDEXING,
    TABLE_COMPLETED,
    TABLE_ERROR,
};

/* What comparing a table with the source gave last. */
enum verified {
    VERIFIED_NOT,       /* not yet */
    VERIFIED_EQUAL,
    VERIFIED_PARTLY,    /* what could be compared is equal: note says what could not */
    VERIFIED_DIFFERENT,
    VERIFIED_FAILED,    /* it could not be: note says why */
    VERIFIED_SKIPPED,   /* it is not in the stream at present: note says why */
};

struct table_verification {
    enum verified state;
    lsn_t lsn;             /* both sides were compared as of here */
    int64_t compared_us;
    int64_t source_rows, target_rows;
    int64_t changes;       /* applied to it until then */
    char *written;         /* owned: mark of the target's table then (verify_standing.sql); NULL: none */
    char *note;            /* owned, may be NULL */
    cJSON *differences;    /* owned, may be NULL: {"different","missing","extra","all","rows"} (verify/rows.h) */
    int64_t repaired;      /* rows that were copied again before this */
};

struct table {
    char *oid; /* on the source, text; key of the hash */
    char *schema, *name;
    char *target_schema, *target_name;
    char *final_schema, *final_name; /* from the target's opening on; NULL: as before */
    char *where;
    char *columns;   /* text[] literal of those that are copied; NULL: all */
    bool at_cutover; /* brought up to date inside the freeze instead of streamed */
    bool needs_full; /* replica identity is set to FULL */
    bool is_new;     /* added while running; the target's state does not have it yet */
    enum table_state state;
    int64_t est_rows, est_bytes;
    int64_t rows, bytes;
    int64_t load_started_us, load_ended_us;
    int64_t inserts, updates, deletes, truncates;
    int64_t modified_us;
    int errors;        /* failures of the load */
    int64_t conflicts; /* changes that did not fit, as pgcutover.conflicts keeps them */
    bool is_behind;    /* detached from the stream */
    bool is_stopped;   /* ... until what error says is mended */
    struct err error;
    int builds;          /* indexes and keys that its own job has to build, as the copy found */
    int builds_left;     /* ... of a large table: not given to anybody yet */
    int builds_running;  /* ... being built */
    struct table_parts *parts;   /* owned; of a table that is being copied in parts (load_parts.h) */
    bool whole;                  /* it cannot be */
    struct table_verification verified;
    struct table *next_of_job;   /* those that one worker has together */
    struct table *next_building; /* large tables whose indexes are built one by one */
    enum table_state failed_in; /* what it was doing when it came into TABLE_ERROR */
    uint64_t version; /* of the last change a client should see */
    UT_hash_handle hh;
};

/* A change of what is moved, asked for while changes are streamed (change.c). */
enum pipeline_change {
    CHANGE_NONE,
    CHANGE_ADMIT,  /* tables are added: checked, made on the target, published */
    CHANGE_DETACH, /* tables are taken out of the stream, to be loaded */
    CHANGE_WITHDRAW, /* tables leave the migration */
};

/* Comparing while changes are streamed (verification.c). */
struct verification {
    bool is_wanted;        /* one is asked for, or under way */
    bool is_own;           /* ... by the engine itself (verify.when continuous) */
    bool repairs;          /* rows that differ are copied again */
    cJSON *oids;           /* owned: these tables alone; NULL: all */
    bool halts;            /* the applier was asked to stand still for it */
    int attempts;
    int64_t retry_at_ms;   /* monotonic */
    int64_t next_ms;       /* when the engine begins the next one by itself, monotonic; 0: as soon as it may */
    int64_t started_us, ended_us;
    size_t total, done;    /* tables */
    lsn_t lsn;             /* at which this one compares; LSN_INVALID: not there yet */
    struct err error;      /* of the last one, when it ended early */
};

/* A reading of the source's WAL position, to tell lag by. */
struct lsn_reading {
    lsn_t lsn;
    int64_t taken_us; /* wall clock of this host */
};
#define READING_COUNT 64

/* A server session that holds things up; pid 0: none. */
struct session_facts {
    int pid;
    char user[64];
    char application[64];
    char state[32];
    char query[128];
    int64_t age_us; /* of its transaction */
};

/* What the monitor saw last, beside the position. */
struct source_facts {
    lsn_t sent_lsn;              /* by the walsender of the slot; LSN_INVALID: nobody streams */
    bool has_safe_wal;
    int64_t safe_wal_bytes;      /* until max_slot_wal_keep_size ends the slot */
    int64_t spilled_bytes;       /* by transactions too large for the source's memory, since the look before */
    struct session_facts open;   /* the source's oldest writing transaction */
    struct session_facts holder; /* who holds a lock of the target that the applier waits for */
};

/* One step of the cutover as clients see it. */
struct step {
    char *name;
    char *state; /* waiting, running, done, undone, failed */
    char *text;
    int64_t started_us, ended_us;
};

struct pipeline {
    int index;
    bool load_only;                   /* sync.mode: a copy of one snapshot, no stream */
    const struct plan_database *plan; /* borrowed */
    char *name;                       /* source database */
    char *target_name;
    char *dir;                        /* state of this database on this host */
    char *slot;                       /* slot and publication have one name */
    enum pipeline_state state;
    enum pipeline_hold hold;
    enum pipeline_state undo_to;      /* where UNDOING ends: CANCELLED or FAILED */
    struct err error;
    int attempts;                     /* tries of the present state that failed retryably */
    int64_t retry_at_ms;              /* monotonic; 0 none */

    struct table *tables;             /* hash by oid */
    struct table **by_size;           /* owned array of borrowed, largest first */
    size_t table_count;
    size_t behind_count;              /* detached tables */
    struct table *first_stopped;      /* one of those that wait for somebody, NULL none */
    bool retry_stopped;               /* the applier is still to be told that they may go on */
    size_t next_load;                 /* nothing before it in by_size waits to be copied */
    struct table **index_queue;       /* owned array of borrowed: loaded, indexes wanted */
    size_t index_head, index_count, index_cap;
    struct table *building;           /* list by next_building */
    struct table_parts *in_parts;     /* list of borrowed: tables that are being copied in parts */

    lsn_t start_lsn;                  /* consistent point of the main slot */
    lsn_t last_epoch_lsn;             /* the newest epoch of any table: consistent only from here on */
    char *snapshot;                   /* of the present epoch, NULL none */
    lsn_t epoch_lsn;
    int64_t snapshot_us;              /* since when the snapshot is held: it holds back vacuum */

    lsn_t received_lsn, confirmed_lsn, applied_lsn, passed_lsn, server_lsn;
    lsn_t needed_lsn;                 /* the spool is needed from here on */
    lsn_t last_change_lsn;            /* commit LSN of the last transaction that changed a picked table */
    int64_t received_changes, consumed_changes; /* their difference waits; as the receiver counts */
    int receive_session;              /* its process */
    int64_t applied_changes, transactions;
    int limit_pipe[2];                /* from receiver to applier (limit_pipe.h) */
    char *spool_limit;                /* JSON text of the reader's limit, as the receiver told it */
    int64_t spool_bytes;
    char receive_mode[16];            /* "stream" or "catch-up"; empty until the receiver said so */
    bool source_idle;                 /* the source has sent all it had */
    int64_t received_per_s;           /* bytes */
    int64_t streamed_bytes;           /* of transactions that are received before their commit */
    bool spool_full;
    int64_t told_receiver_ms;
    int64_t clock_offset_us;          /* source clock minus this host's */
    int64_t latency_us;               /* of the last transaction applied */
    int64_t applied_commit_us;        /* source clock */
    bool apply_idle;                  /* the applier has applied all that was received */
    struct lsn_reading readings[READING_COUNT];
    size_t reading_count;
    int64_t slot_retained_bytes;
    char *slot_wal_status;
    struct source_facts facts;
    bool runway_warned;               /* the slot's end came near, and it was said */

    enum pipeline_change change;
    cJSON *asked;                     /* {"reload":[OID...]}, {"add":[NAME...]} or {"remove":[{"oid","schema","name"}...]}, owned; NULL: none */
    struct err change_error;          /* of the last change, when it was given up */
    struct verification verification;
    bool rehearsal_wanted;            /* of the cutover (rehearsal.c) */
    struct err rehearsal_error;       /* of the last one */
    bool unfinished;                  /* objects of added tables wait to be made by "finish" */

    bool forgetting;                  /* it has ended, and is being deleted */
    bool recalled;                    /* what the target knows has been read */
    bool cutover_wanted;
    bool cutover_refused;             /* one failed: no other by itself */
    bool cutover_missed;              /* the set time passed without it */
    bool lock_wanted;                 /* a worker holds the source's tables (source_lock.h) */
    lsn_t drain_lsn;                  /* the cutover waits for it, 0 none */
    lsn_t drain_from_lsn;             /* where the stream was when it began to */
    int64_t drain_began_ms;           /* clock_mono_ms() */
    struct step *steps;
    size_t step_count, step_cap;
    int64_t frozen_us, opened_us;     /* downtime: between them */
    cJSON *statements;                /* of the schema, how they stand (schema_statements.sql); owned, may be NULL */
    cJSON *builds;                    /* indexes that are built now, as the monitor told; owned, may be NULL */
    char *phase_text;                 /* what the present worker says it does */
    int64_t phase_done, phase_total;

    char *source_server, *source_version, *target_server, *target_version;
    int64_t started_us, ended_us, load_ended_us;
    bool initialized;                 /* initial load is complete */
    uint64_t version;
};

struct event {
    int64_t time_us;
    char *level;
    char *text;
};
#define EVENT_COUNT 200

/* How far the engine goes by itself (--until, cutover.when). */
enum goal { GOAL_CHECKED, GOAL_SCHEMA, GOAL_LOADED, GOAL_READY, GOAL_DONE };

struct migration {
    char *id;
    char *name;
    char *dir;
    struct plan plan;
    enum goal goal;
    struct pipeline *pipelines;
    size_t pipeline_count;
    int64_t started_us, ended_us;
    struct event events[EVENT_COUNT]; /* ring */
    uint64_t event_count;             /* ever */
    cJSON *decided;                   /* owned: engine/decided.h; NULL: nothing, or not read */
    uint64_t version;                 /* counts changes; pipelines and tables carry theirs */
};

/* "loading" and so on: for people, the journal and the state machine's table. */
const char *pipeline_state_name(enum pipeline_state state);
bool pipeline_state_parse(const char *name, enum pipeline_state *state);
bool pipeline_has_ended(const struct pipeline *pipeline);
/* --until's words; false when the text is none. */
bool goal_parse(const char *text, enum goal *goal);

/* Fills pipelines from m->plan; id, name and dir are set. */
void migration_make_pipelines(struct migration *m);
/* The database of that name (NULL: the only one). NULL with ERR_USAGE where there is none, or several to choose from. Borrowed. */
struct pipeline *migration_pipeline(const struct migration *m, const char *database, struct err *err);
void migration_release(struct migration *m);
bool migration_has_ended(const struct migration *m);
/* Where its directory is. Owned. */
char *migration_state_dir(const struct migration *m);

/* Marks a pipeline or table as changed for the clients. */
void pipeline_touch(struct migration *m, struct pipeline *pipeline);
void table_touch(struct migration *m, struct pipeline *pipeline, struct table *table);

/* Adds a table (strings copied); one that is known is returned. */
struct table *pipeline_add_table(struct pipeline *pipeline, const char *oid);
struct table *pipeline_table(const struct pipeline *pipeline, const char *oid);
/* Notes how a table stands to the stream; why: NULL, or the error that stopped it (taken). */
void table_detach(struct pipeline *pipeline, struct table *table, bool is_behind, struct err *why);
/* Takes a table out of every list that is kept beyond the load, and releases it. */
void pipeline_remove_table(struct pipeline *pipeline, struct table *table);
/* Releases a table that is in no list any more. */
void table_free(struct table *table);
void table_parts_free(struct table_parts *parts);
void table_verification_release(struct table_verification *verified);
/* Sorts by_size; call after the last pipeline_add_table(). */
void pipeline_sort_tables(struct pipeline *pipeline);
size_t pipeline_count_tables(const struct pipeline *pipeline, enum table_state state);

void pipeline_add_reading(struct pipeline *pipeline, lsn_t lsn, int64_t taken_us);
/* How far the target is behind the source in microseconds: since the last reading of the source's
 * position that is wholly applied; -1 when nothing is known yet. */
int64_t pipeline_lag_us(const struct pipeline *pipeline, int64_t now_us);
/* Of the last transaction when the target is caught up, else pipeline_lag_us(). */
int64_t pipeline_latency_us(const struct pipeline *pipeline, int64_t now_us);
/* READY_TO_COMPLETE of interface.md; why (owned by the caller, may be NULL) says what is missing. */
bool pipeline_is_ready(const struct pipeline *pipeline, int64_t max_lag_us, char **why);

/* The cutover step of that name, made when new. */
struct step *pipeline_step(struct pipeline *pipeline, const char *name);

/* Adds to the ring and to the log. */
void migration_event(struct migration *m, const char *level, const char *fmt, ...) PGC_PRINTF(3, 4);

#endif
