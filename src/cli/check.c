#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "check/fixes.h"
#include "cli/cli.h"
#include "engine/preflight.h"
#include "engine/server_log.h"

/* What comes of all databases together. */
struct outcome {
    cJSON *all; /* --json */
    struct fixes fixes;
    size_t failures;
};

static bool check_database(const struct options *o, const struct plan *plan, const struct plan_database *database,
                           struct outcome *outcome, struct err *err)
{
    struct preflight pre = PREFLIGHT_INIT;

    pre.deep = o->deep;
    pre.show = o->quiet ? NULL : cli_show_command;
    bool ok = preflight_run(&pre, plan, database, NULL, NULL, err);

    if (ok && o->json) {
        cJSON *list = findings_to_json(&pre.findings);
        cJSON *item;
        while ((item = cJSON_DetachItemFromArray(list, 0))) {
            json_add_str(item, "databaseName", database->name);
            cJSON_AddItemToArray(outcome->all, item);
        }
        cJSON_Delete(list);
    } else if (ok) {
        char *text = findings_text(&pre.findings);
        printf("database \"%s\" -> \"%s\", %zu tables\n%s", database->name, database->target_name,
               pre.tables.count, text);
        free(text);
    }
    outcome->failures += findings_count(&pre.findings, FINDING_FAIL);
    if (ok && o->fixes)
        fixes_add(&outcome->fixes, &pre.findings, database->name, database->target_name, pre.target_exists);
    preflight_release(&pre);
    return ok;
}

static bool write_fixes(const struct options *o, const struct fixes *fixes, struct err *err)
{
    char *script = fixes_script(fixes);
    bool ok = file_write_atomic(o->fixes, script, strlen(script), err);

    if (ok && !o->quiet)
        fprintf(stderr, "What mends the findings is in %s: read it, then run it with psql.\n", o->fixes);
    free(script);
    return ok;
}

/* A server that is down after it was to be restarted: its log says why. */
static void show_log(const struct options *o, const struct plan *plan, struct err *err)
{
    enum conn_side side = strncmp(err->message, "target", 6) == 0 ? SIDE_TARGET : SIDE_SOURCE;

    if (err->code != ERR_CONNECTION || !err->retryable)
        return;
    char *state_dir = cli_state_dir(o, plan);
    char *text = server_log_end(state_dir, plan, side, o->quiet ? NULL : cli_show_command, NULL);

    if (text)
        err_detail(err, "%s", text);
    free(text);
    free(state_dir);
}

int cmd_check(const struct options *o)
{
    struct plan plan;
    struct err err = ERR_INIT;
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;
    struct outcome outcome = {.all = cJSON_CreateArray()};
    int code = 0;

    if (o->fix || o->undo) {
        cJSON_Delete(outcome.all);
        return cmd_fix(o);
    }
    if (!cli_read_plan_or_name(o, o->args[0], &plan, &err)) {
        cJSON_Delete(outcome.all);
        return cli_fail(o, &err);
    }
    stop_catch_signals(true);
    bool ok = cli_open_tunnels(o, &plan, &tunnels, &err) && cli_greet_servers(o, &plan, &err);
    for (size_t i = 0; ok && i < plan.database_count; i++)
        ok = check_database(o, &plan, &plan.databases[i], &outcome, &err);
    ok = ok && (!o->fixes || write_fixes(o, &outcome.fixes, &err));
    if (ok && o->json) {
        cli_print_json(outcome.all);
    }
    cJSON_Delete(outcome.all);
    fixes_release(&outcome.fixes);
    if (!ok) {
        cli_hint_hba(o, &err);
        show_log(o, &plan, &err);
    }
    cli_close_tunnels(&plan, &tunnels);
    plan_release(&plan);
    if (!ok)
        code = cli_fail(o, &err);
    else if (outcome.failures)
        code = 3;
    return code;
}
