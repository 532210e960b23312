/* The end of what the operator had mended in place ("check --fix"). */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "engine/fix_store.h"
#include "engine/fix_undo.h"
#include "engine/works.h"

bool fixes_are_left(const struct migration *m)
{
    char *state_dir = migration_state_dir(m);
    bool left = !fix_store_is_empty(state_dir, m->name);

    free(state_dir);
    return left;
}

void work_tell_fixes(struct work *work)
{
    char *state_dir = migration_state_dir(work->m);
    cJSON *entries = fix_store_read(state_dir, work->m->name, NULL);
    const cJSON *entry;

    cJSON_ArrayForEach(entry, entries)
    {
        const char *migrated = json_str(entry, "migrated");
        if (migrated && strcmp(migrated, work->p->name) == 0)
            work_event(work, "info", "mended before it began, %s on the %s, as %s at %s: %s", json_str(entry, "id"), json_str(entry, "side"),
                       json_str(entry, "role"), json_str(entry, "time"), json_str(entry, "statements"));
    }
    cJSON_Delete(entries);
    free(state_dir);
}

static void tell(void *arg, const char *level, const char *text)
{
    work_event(arg, level, "%s", text);
}

bool work_undo_fixes(struct work *work, bool all, struct err *err)
{
    char *state_dir = migration_state_dir(work->m);
    struct fix_undo_request request = {.state_dir = state_dir, .plan = &work->m->plan, .migrated = all ? NULL : work->p->name,
                                       .but_rights = all, .forget_lasting = work->p->forgetting, .tell = tell, .arg = work};
    size_t done, left = 0;
    bool ok = fix_undo(&request, &done, &left, err);

    if (left)
        work_event(work, "warning", "%zu of what was mended before the migration %s not taken back: \"pgcutover check PLAN --undo all "
                   "--as ROLE\" does it as a role that may", left, left == 1 ? "was" : "were");
    free(state_dir);
    return ok;
}
