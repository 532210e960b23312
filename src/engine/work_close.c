/* close: behind the point of no return, forward only. */
#include "engine/cutover.h"

#include <stdlib.h>

#include "schema/apply.h"
#include "schema/identity.h"
#include "schema/rename.h"
#include "schema/target.h"

#define HOOK_TIMEOUT_MS 600000

/* Where it fails, the migration waits there: "resume" runs it again. So it does where the engine ended in the middle. */
static bool hook_after(struct work *work, struct err *err)
{
    char *line = NULL;

    if (!work->m->plan.hook_after)
        return true;
    work_step(work, "hook after", "running", NULL);
    bool ok = cutover_hook(work, work->m->plan.hook_after, HOOK_TIMEOUT_MS, &line, err);
    work_step(work, "hook after", ok ? "done" : "failed", ok ? line : err->message);
    if (!ok)
        err_hint(err, "The target is open, and the data are there. Mend the hook, and \"pgcutover resume %s\" runs it again.",
                 work->m->name);
    free(line);
    return ok;
}

static bool open_target(struct work *work, struct err *err)
{
    struct conn target = CONN_INIT;
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err);
    bool exists = false;

    ok = ok && schema_state_exists(&target, &exists, err);
    if (ok && exists) {
        work_step(work, "open the target", "running", NULL);
        ok = work_lock_schema(&target, "0", err) && schema_identity_restore(&target, err) &&
             (work->m->plan.schema_mode != SCHEMA_COPY ||
              (schema_apply_phase(&target, "held", NULL, err) &&
               schema_rename_tables(&target, err)));
        work_step(work, "open the target", ok ? "done" : "failed", ok ? NULL : err->message);
        ok = ok && hook_after(work, err);
    }
    conn_close(&target);
    return ok;
}

bool work_close(struct work *work, struct err *err)
{
    if (!open_target(work, err))
        return false;
    work_step(work, "clean up", "running", NULL);
    bool ok = work_undo_kinds(work, "slot publication ddl-log replica-identity state-schema database", err);
    work_step(work, "clean up", ok ? "done" : "failed", ok ? NULL : err->message);
    return ok;
}
