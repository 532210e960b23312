/* Starting an engine: one detached process per migration that survives the terminal.
 *
 * State directory: STATE/NAME/ (0700) with
 *   migration.json  identity, goal, where the plan came from     plan.json  the plan, no passwords
 *   journal.jsonl   what was decided and made                    status.json  last known numbers
 *   log.jsonl       the log     lock  held by the engine         control.sock
 *   db-N/           spool and dump of database N */
#ifndef PGC_ENGINE_ENGINE_H
#define PGC_ENGINE_ENGINE_H

#include "base/log.h"
#include "engine/model.h"

struct engine_options {
    const char *state_dir;
    enum log_level log_level;
    const char *command; /* carried out at once ("resume", "cancel", "delete"), or NULL */
};

/* A new migration from a plan (moved into m). ERR_USAGE when the name is in use; ERR_IO when the state
 * directory cannot be written. Nothing is written yet. */
bool engine_prepare_new(struct migration *m, struct plan *plan, enum goal goal,
                        const char *state_dir, struct err *err);
/* One that exists: migration.json and plan.json; passwords from the plan it was started with, where
 * that is still there. ERR_NOT_FOUND when there is none of that name. */
bool engine_load(struct migration *m, const char *state_dir, const char *name, struct err *err);

/* Takes schema.onError and schema.edits anew from the plan that m was started with, where that is still there; *changed: they
 * are others. ERR_USAGE when it cannot be read. */
bool engine_recall_decisions(struct migration *m, bool *changed, struct err *err);

/* Starts the engine for m in a process of its own session and waits until its control socket listens.
 * ERR_USAGE when one runs already. *pid (may be NULL) is the engine's. m stays the caller's. */
bool engine_start(struct migration *m, const struct engine_options *options, int *pid,
                  struct err *err);

/* Does an engine hold the migration's lock? */
bool engine_is_running(const char *state_dir, const char *name);

#endif
