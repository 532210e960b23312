/* limits: shows and changes what a running migration may use. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/cli.h"
#include "control/client.h"
#include "engine/engine.h"
#include "engine/limits.h"

static bool is_change(const struct options *o)
{
    return o->load_jobs || o->sync_jobs || o->bytes_per_second || o->source_slot_wal;
}

static cJSON *ask(const struct options *o, struct control *control, struct err *err)
{
    cJSON *request = json_message("command");

    json_add_str(request, "command", "limits");
    json_add_str(request, "loadJobs", o->load_jobs);
    json_add_str(request, "syncJobs", o->sync_jobs);
    json_add_str(request, "bytesPerSecond", o->bytes_per_second);
    json_add_str(request, "sourceSlotWal", o->source_slot_wal);
    cJSON *answer = control_ask(control, request, err);
    cJSON *limits = cJSON_DetachItemFromObjectCaseSensitive(answer, "limits");
    cJSON_Delete(answer);
    return limits;
}

/* No engine runs: what its plan says is what the next one begins with. */
static cJSON *stored(const char *state_dir, const char *name, struct err *err)
{
    struct migration m;

    if (!engine_load(&m, state_dir, name, err))
        return NULL;
    cJSON *limits = limits_json(&m.plan);
    migration_release(&m);
    return limits;
}

static cJSON *get(const struct options *o, const char *state_dir, struct err *err)
{
    const char *name = o->args[0];
    char *dir = xasprintf("%s/%s", state_dir, name);
    struct control control;
    cJSON *limits = NULL;

    if (plan_name_is_valid(name) && file_exists(dir) && control_open(&control, dir, "limits", false, err)) {
        limits = ask(o, &control, err);
        control_close(&control);
    } else if (!is_change(o) || !plan_name_is_valid(name) || !file_exists(dir)) {
        err_clear(err);
        limits = stored(state_dir, name, err);
    } else {
        err_hint(err, "\"pgcutover resume %s\" starts its engine again.", name);
    }
    free(dir);
    return limits;
}

static void print_bytes(const char *what, const cJSON *value, const char *per)
{
    char text[32];

    if (!cJSON_IsNumber(value)) {
        printf("%-22s no limit\n", what);
        return;
    }
    units_bytes((int64_t)value->valuedouble, text, sizeof text);
    printf("%-22s %s%s\n", what, text, per);
}

int cmd_limits(const struct options *o)
{
    char *state_dir = cli_state_dir(o, NULL);
    struct err err = ERR_INIT;
    cJSON *limits = get(o, state_dir, &err);

    free(state_dir);
    if (!limits)
        return cli_fail(o, &err);
    err_clear(&err);
    if (o->json) {
        cli_print_json(limits);
    } else {
        printf("%-22s %lld\n", "load jobs", (long long)json_i64(limits, "loadJobs", 0));
        printf("%-22s %lld\n", "sync jobs", (long long)json_i64(limits, "syncJobs", 0));
        print_bytes("copy rate", json_get(limits, "bytesPerSecond"), " a second");
        print_bytes("WAL kept on the source", json_get(limits, "sourceSlotWal"), "");
    }
    cJSON_Delete(limits);
    return 0;
}
