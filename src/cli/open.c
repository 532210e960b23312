/* The screens: the list of migrations or the wizard (no command), open NAME or PLAN; theme --check FILE. */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "plan/plan.h"
#include "ui/ui.h"

static bool is_dumb(void)
{
    const char *term = getenv("TERM");

    return term && strcmp(term, "dumb") == 0;
}

/* Names of migrations have no dot. */
static bool is_plan(const char *arg)
{
    const char *dot = strrchr(arg, '.');

    return dot && strcmp(dot, ".json") == 0;
}

int cmd_open(const struct options *o)
{
    char *state_dir = cli_state_dir(o, NULL);
    struct ui_options options = {.state_dir = state_dir, .name = o->arg_count ? o->args[0] : NULL, .theme = o->theme,
                                 .mouse = o->mouse, .program = "/proc/self/exe"};
    struct err err = ERR_INIT;
    int code;

    if (options.name && is_plan(options.name)) {
        options.plan = options.name;
        options.name = NULL;
    }
    if (options.name && !plan_name_is_valid(options.name)) {
        err_set(&err, ERR_NOT_FOUND, "there is no migration \"%s\" in \"%s\"", options.name, state_dir);
        err_hint(&err, "\"pgcutover status\" lists what is there.");
        code = 5;
    } else {
        code = o->plain || is_dumb() ? ui_plain(&options, &err) : ui_run(&options, &err);
    }
    if (err_is_set(&err))
        code = cli_fail(o, &err);
    free(state_dir);
    return code;
}

int cmd_theme(const struct options *o)
{
    struct err err = ERR_INIT;

    if (!o->check) {
        err_set(&err, ERR_USAGE, "theme takes --check FILE");
        return cli_fail(o, &err);
    }
    return ui_check_theme(o->args[0], &err) ? 0 : cli_fail(o, &err);
}
