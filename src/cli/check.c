#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "engine/preflight.h"

static bool check_database(const struct options *o, const struct plan *plan,
                           const struct plan_database *database, cJSON *all, size_t *failures,
                           struct err *err)
{
    struct preflight pre = PREFLIGHT_INIT;
    bool ok = preflight_run(&pre, plan, database, NULL, NULL, err);

    if (ok && o->json) {
        cJSON *list = findings_to_json(&pre.findings);
        cJSON *item;
        while ((item = cJSON_DetachItemFromArray(list, 0))) {
            json_add_str(item, "databaseName", database->name);
            cJSON_AddItemToArray(all, item);
        }
        cJSON_Delete(list);
    } else if (ok) {
        char *text = findings_text(&pre.findings);
        printf("database \"%s\" -> \"%s\", %zu tables\n%s", database->name, database->target_name,
               pre.tables.count, text);
        free(text);
    }
    *failures += findings_count(&pre.findings, FINDING_FAIL);
    preflight_release(&pre);
    return ok;
}

int cmd_check(const struct options *o)
{
    struct plan plan;
    struct err err = ERR_INIT;
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;
    cJSON *all = cJSON_CreateArray();
    size_t failures = 0;
    int code = 0;

    if (!cli_read_plan(o, o->args[0], &plan, &err)) {
        cJSON_Delete(all);
        return cli_fail(o, &err);
    }
    stop_catch_signals(true);
    bool ok = cli_open_tunnels(o, &plan, &tunnels, &err) && cli_greet_servers(o, &plan, &err);
    for (size_t i = 0; ok && i < plan.database_count; i++)
        ok = check_database(o, &plan, &plan.databases[i], all, &failures, &err);
    if (ok && o->json) {
        char *text = json_pretty_sorted(all);
        puts(text);
        free(text);
    }
    cJSON_Delete(all);
    cli_close_tunnels(&plan, &tunnels);
    plan_release(&plan);
    if (!ok)
        code = cli_fail(o, &err);
    else if (failures)
        code = 3;
    return code;
}
