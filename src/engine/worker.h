/* Workers: one process each, forked from the supervisor, with connections of its own and one
 * socketpair to it. A worker that crashes is a failed task with a reason.
 *
 * In the worker, struct work is everything it has: the model as it was at the fork (read only), and
 * the channel. It runs plain blocking code; SIGTERM stops it, the supervisor's death kills it. */
#ifndef PGC_ENGINE_WORKER_H
#define PGC_ENGINE_WORKER_H

#include <sys/types.h>

#include "base/channel.h"
#include "engine/model.h"
#include "pg/conn.h"

struct work {
    const struct migration *m; /* borrowed */
    const struct pipeline *p;  /* borrowed */
    const char *kind;
    struct channel channel;
};

typedef bool work_fn(struct work *work, struct err *err);

struct worker_kind {
    const char *name;
    work_fn *run;
};

/* The kinds there are, ended by a NULL name (workers.c). */
extern const struct worker_kind worker_kinds[];

/* --- the supervisor's side --- */

struct worker {
    const struct worker_kind *kind;
    pid_t pid;
    struct channel channel;
    struct pipeline *pipeline;
    struct table *table;      /* copy, index: the job at hand, by next_of_job; NULL idle */
    bool building;            /* index: one index of its (only) table */
    bool cutting;             /* copy: empties its (only) table, to be copied in parts */
    bool has_part;            /* copy: one part of its (only) table: */
    int part;
    int64_t part_rows, part_bytes; /* so far */
    bool ready;               /* said that it can take jobs */
    bool done;                /* said that it is done */
    bool stopping;            /* was asked to stop */
    int64_t stop_ms;          /* when */
    int64_t told_rate;        /* copy: its share of limits.bytesPerSecond as it knows it */
    int64_t started_ms;
    struct err error;         /* what it said before it ended */
    void *watched;            /* of supervisor.c: the loop's argument */
    bool watching_output;
    struct worker *next;
};

/* Forks a worker. Returns NULL with ERR_IO when the system refuses. Owned by the caller. */
struct worker *worker_start(const struct migration *m, struct pipeline *pipeline, const char *kind,
                            struct err *err);
/* SIGTERM, once; SIGKILL when called half a minute later still. */
void worker_stop(struct worker *worker);
/* A table of its job is dealt with. */
void worker_table_done(struct worker *worker, struct table *table);
/* Waits for the process (killing it after grace_ms). When it ended without a word, error (may be NULL) says how. */
void worker_end(struct worker *worker, int grace_ms, struct err *error);
/* Of one that has ended. */
void worker_free(struct worker *worker);

/* --- the worker's side --- */

/* Sends a message (taken). The worker ends when the supervisor is gone. */
void work_send(struct work *work, cJSON *message);
/* The next message from the supervisor, NULL when none came within timeout_ms (<0: waits) or on a
 * stop request (err is then set). Owned by the caller. */
cJSON *work_receive(struct work *work, int timeout_ms, struct err *err);
/* {"type":"phase","text":…,"done":…,"total":…}: what the worker does, for people. */
void work_phase(struct work *work, const char *text, int64_t done, int64_t total);
void work_event(struct work *work, const char *level, const char *fmt, ...) PGC_PRINTF(3, 4);

/* Has the supervisor write "made" to the journal, durable when this returns true; then the act may
 * follow. schema and previous may be NULL. */
bool work_made(struct work *work, enum conn_side side, const char *kind, const char *schema,
               const char *name, const char *previous, int *seq, struct err *err);
bool work_gone(struct work *work, int seq, struct err *err);

/* Opens a connection to one side of this pipeline's database; role goes to application_name. */
bool work_connect(struct work *work, struct conn *c, enum conn_side side, enum conn_profile profile,
                  struct err *err);
bool work_conninfo(const struct work *work, enum conn_side side, struct conninfo *info,
                   struct err *err);

#endif
