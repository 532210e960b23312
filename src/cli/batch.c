#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "engine/dryrun.h"
#include "engine/engine.h"

/* --until, else what cutover.when says: by hand means as far as READY_TO_COMPLETE. */
static const char *until_of(const struct options *o, const struct plan *plan)
{
    if (o->until)
        return o->until;
    /* A copy without a stream has no state between. */
    return plan->cutover_when == CUTOVER_READY || plan->cutover_at || plan->sync_mode == SYNC_LOAD_ONLY ? "done" : "ready";
}

/* "The operator says so" is a question that batch mode cannot ask. */
static bool operator_agrees(const struct options *o, const struct plan *plan, const char *until,
                            struct err *err)
{
    if (plan->sync_mode == SYNC_LOAD_ONLY || plan->stop_writes != STOP_OPERATOR || strcmp(until, "done") != 0 || o->yes)
        return true;
    err_set(err, ERR_USAGE, "cutover.stopWrites is \"operator\": somebody must say that writes have "
                            "been stopped");
    err_hint(err, "Say --yes if they will be when the target is ready, or go --until ready and run "
                  "\"pgcutover cutover %s\" then.", plan->name);
    return false;
}

static int start(const struct options *o, struct plan *plan, const char *until)
{
    struct err err = ERR_INIT;
    struct migration m = {0};
    enum goal goal = GOAL_READY;
    char *state_dir = cli_state_dir(o, plan);
    struct engine_options options = {.state_dir = state_dir, .log_level = cli_log_level(o, plan)};
    int pid = 0;
    int code;

    goal_parse(until, &goal);
    if (goal == GOAL_DONE && plan->cutover_at)
        goal = GOAL_READY; /* the rest when the time has come */
    if (!engine_prepare_new(&m, plan, goal, state_dir, &err) ||
        !engine_start(&m, &options, &pid, &err)) {
        code = cli_fail(o, &err);
    } else if (o->detach) {
        if (o->json)
            printf("{\"type\":\"started\",\"name\":\"%s\",\"pid\":%d}\n", m.name, pid);
        if (!o->quiet)
            fprintf(stderr, "The engine of \"%s\" runs as process %d: \"pgcutover status %s\" shows "
                            "it.\n", m.name, pid, m.name);
        code = 0;
    } else {
        code = cli_follow(o, m.dir, m.name, until);
    }
    migration_release(&m);
    free(state_dir);
    return code;
}

static int dry_run(const struct options *o, struct plan *plan, const char *until)
{
    struct err err = ERR_INIT;
    struct buf text = BUF_INIT;
    bool ok = dry_run_describe(plan, until, &text, &err);

    if (text.len)
        fputs(text.data, stdout);
    buf_release(&text);
    return ok ? 0 : cli_fail(o, &err);
}

int cmd_batch(const struct options *o)
{
    struct plan plan;
    struct err err = ERR_INIT;
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;
    int code = 0;

    if (!cli_read_plan(o, o->arg_count ? o->args[0] : NULL, &plan, &err))
        return cli_fail(o, &err);
    const char *until = until_of(o, &plan);
    stop_catch_signals(false);
    bool ok = operator_agrees(o, &plan, until, &err) && cli_open_tunnels(o, &plan, &tunnels, &err) &&
              cli_greet_servers(o, &plan, &err);
    if (!ok)
        code = cli_fail(o, &err);
    else if (o->dry_run)
        code = dry_run(o, &plan, until);
    /* The engine has tunnels of its own. */
    cli_close_tunnels(&plan, &tunnels);
    if (ok && !o->dry_run)
        code = start(o, &plan, until);
    plan_release(&plan);
    return code;
}
