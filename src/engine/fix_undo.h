/* What "pgcutover check --fix" did is taken back: newest first, one after the other, each by itself. */
#ifndef PGC_ENGINE_FIX_UNDO_H
#define PGC_ENGINE_FIX_UNDO_H

#include "base/secret.h"
#include "engine/model.h"
#include "plan/plan.h"

/* All borrowed. */
struct fix_undo_request {
    const char *state_dir;
    const struct plan *plan;   /* the migration's name, and how to reach the servers */
    const char *id;            /* those of one check; NULL: all */
    const char *migrated;      /* those that a database of the plan wanted, by its name on the source; NULL: all */
    bool but_rights;           /* what was granted to a role is not: deleting a migration still needs it */
    bool forget_lasting;       /* those that stay are told, and forgotten */
    bool also_lasting;         /* those that would stay as well */
    const char *role;          /* NULL: the plan's user */
    const struct secret *password;
    void (*tell)(void *arg, const char *level, const char *text); /* "info", "warning" */
    void *arg;
};

/* True when all of them are gone from the store; else *left says how many are not, each told with the statements for it and the
 * reason. What somebody has changed since is left as it is, told, and forgotten. An error of one does not keep the others;
 * false with err only where the store cannot be read or written, or a stop is requested. */
bool fix_undo(const struct fix_undo_request *request, size_t *done, size_t *left, struct err *err);

/* Is anything in the store of this migration? */
bool fixes_are_left(const struct migration *m);

#endif
