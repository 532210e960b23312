/* The supervisor: the engine's one process that owns all state. A single-threaded poll loop over its
 * workers and clients; the state machine of each pipeline is in pipeline.c. */
#ifndef PGC_ENGINE_SUPERVISOR_H
#define PGC_ENGINE_SUPERVISOR_H

#include "base/loop.h"
#include "control/server.h"
#include "engine/history.h"
#include "engine/journal.h"
#include "engine/model.h"
#include "engine/tunnels.h"
#include "engine/worker.h"

struct supervisor {
    struct migration *m;
    struct journal journal;
    struct history history;
    struct loop *loop;
    struct server *server;
    struct worker *workers; /* list */
    struct engine_tunnel tunnels[2]; /* by side */
    bool leaving;           /* ends as soon as no worker is left */
    bool deleting;          /* the migration is being forgotten */
    uint64_t stored_version;
    int64_t store_after_ms;
};

/* Opens journal and control socket of m->dir and restores the pipelines. On error nothing is left open. */
bool supervisor_open(struct supervisor *s, struct migration *m, struct err *err);
void supervisor_close(struct supervisor *s);
/* A client that had the target database's name typed sends it along ("confirm"): false with ERR_USAGE where it is another one. Without
 * it, true. */
bool supervisor_is_confirmed(const struct migration *m, const cJSON *request, struct err *err);
/* Carries a command out for every database, as from a client. */
bool supervisor_command(struct supervisor *s, const char *name, struct err *err);

/* Runs until the migration has ended or a stop is requested. */
void supervisor_run(struct supervisor *s);

/* --- for pipeline.c --- */

struct worker *supervisor_worker(struct supervisor *s, const struct pipeline *p, const char *kind);
size_t supervisor_count_workers(struct supervisor *s, const struct pipeline *p, const char *kind);
/* Starts one and watches it; NULL (and the pipeline's error set) when it cannot be. */
struct worker *supervisor_start_worker(struct supervisor *s, struct pipeline *p, const char *kind);
/* Writes the pipeline's state to the journal. A journal that cannot be written stops the pipeline. */
bool supervisor_decide(struct supervisor *s, struct pipeline *p, cJSON *fields);

#endif
