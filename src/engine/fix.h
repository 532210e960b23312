/* A finding mended in place, on the operator's word: looked at, shown, done, looked at again.
 *
 * What is run is what fixes_statements() makes of the finding, as it was shown, and nothing else; no server is ever
 * restarted. Before anything is run it is in the store with its undo (fix_store.h). */
#ifndef PGC_ENGINE_FIX_H
#define PGC_ENGINE_FIX_H

#include "base/secret.h"
#include "check/findings.h"
#include "plan/plan.h"

#define FIX_ANY_SIDE (-1)

/* All borrowed. */
struct fix_request {
    const char *state_dir;
    const struct plan *plan;
    const struct plan_database *database;
    const char *id;
    int side;               /* enum conn_side, or FIX_ANY_SIDE */
    const char *role;       /* whose connection runs it; NULL: the plan's user */
    const struct secret *password; /* of that role, NULL: the passfile's, or none */
};

/* All owned; filled by fix_look(). */
struct fix {
    bool found;             /* there is something to mend */
    enum conn_side side;
    char *database;         /* that its connection is to */
    char *message, *why;
    char *advice;           /* the whole of the finding's fix: also what only people can do */
    char *statements;       /* one a line; NULL: nothing that this program would run */
    char *undo;
    enum finding_needs needs;
    bool reload;            /* SELECT pg_reload_conf() follows */
    bool lasts;             /* is not taken back when the migration ends */
    int seq;                /* in the store, once it was run */
};

#define FIX_INIT {0}

void fix_release(struct fix *fix);

/* Makes the checks of that id and puts together what would be done. Nothing is changed. ERR_USAGE where both sides have such a
 * finding and none is named. */
bool fix_look(struct fix *fix, const struct fix_request *request, struct err *err);

/* Runs it. On error nothing of it is left: what had been run is taken back, or err says what is not. Locks are waited for at
 * most three seconds: the application goes first. */
bool fix_run(struct fix *fix, const struct fix_request *request, struct err *err);

enum fix_outcome { FIX_MENDED, FIX_WANTS_RESTART, FIX_OPEN };

/* Makes the checks of that id again, for a moment if need be: a reload takes one. *message (owned) is what is still found. */
bool fix_recheck(const struct fix *fix, const struct fix_request *request, enum fix_outcome *outcome, char **message,
                 struct err *err);

/* Do the statements give a role rights? They are taken back when the migration is deleted, all else when it has ended. */
bool fix_is_right(const char *statements);

/* The connection that fixes and their undos are run on: of a side, to a database. Owned: conn_close(). */
struct conn;
bool fix_connect(struct conn *c, const struct plan *plan, enum conn_side side, const char *database, const char *role,
                 const struct secret *password, struct err *err);

#endif
