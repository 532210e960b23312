/* fallback NAME: the cutover of the migration that is the way back. */
#include <stdlib.h>

#include "base/files.h"
#include "cli/cli.h"
#include "engine/engine.h"
#include "engine/fallback.h"

/* What the migration is called that is the way back; NULL with err. Owned. */
static char *find_way_back(const struct options *o, const char *state_dir, struct err *err)
{
    struct migration m;
    char *name = NULL;

    if (!engine_load(&m, state_dir, o->args[0], err))
        return NULL;
    const struct pipeline *p = migration_pipeline(&m, o->database_name, err);
    if (p)
        name = fallback_name(&m, p);
    char *dir = name ? xasprintf("%s/%s", state_dir, name) : NULL;
    if (dir && !file_exists(dir)) {
        err_set(err, ERR_USAGE, "migration \"%s\" has no way back", m.name);
        err_hint(err, m.plan.fallback ? "It is armed by the cutover, and gone when the migration was deleted."
                                      : "It is armed by the cutover where the plan says \"cutover\": {\"fallback\": true}. Until the "
                                        "application writes on the target, \"pgcutover delete\" opens the source again.");
        free(name);
        name = NULL;
    }
    free(dir);
    migration_release(&m);
    return name;
}

int cmd_fallback(const struct options *o)
{
    char *state_dir = cli_state_dir(o, NULL);
    struct err err = ERR_INIT;
    char *name = find_way_back(o, state_dir, &err);
    int code;

    if (name) {
        char *args[] = {name, NULL};
        struct options back = *o;
        back.command = "cutover";
        back.args = args;
        back.database_name = NULL;
        code = cmd_command(&back);
    } else {
        code = cli_fail(o, &err);
    }
    free(name);
    free(state_dir);
    return code;
}
