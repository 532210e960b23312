/* reload, add, remove: asks the engine, and waits until it has taken the tables out of the stream or refused. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "control/client.h"

#define POLL_MS 200

static cJSON *request_for(const struct options *o, const char *command)
{
    cJSON *request = json_message("command");

    json_add_str(request, "command", command);
    json_add_str(request, "databaseName", o->database_name);
    return request;
}

static bool begin(const struct options *o, struct control *control, struct err *err)
{
    cJSON *request = request_for(o, o->command);
    cJSON *tables = cJSON_AddArrayToObject(request, "tables");

    for (int i = 1; i < o->arg_count; i++)
        cJSON_AddItemToArray(tables, cJSON_CreateString(o->args[i]));
    cJSON *answer = control_ask(control, request, err);
    cJSON_Delete(answer);
    return answer != NULL;
}

/* 1 still at it, 0 done, -1 error. */
static int look(const struct options *o, struct control *control, struct err *err)
{
    cJSON *answer = control_ask(control, request_for(o, "change"), err);
    int state = !answer ? -1 : json_bool(answer, "pending", false) ? 1 : 0;

    if (state == 0 && cJSON_IsObject(json_get(answer, "error"))) {
        err_from_json(err, json_get(answer, "error"));
        state = -1;
    }
    cJSON_Delete(answer);
    return state;
}

static bool change(const struct options *o, const char *dir, struct err *err)
{
    struct control control;
    int state = 1;

    if (!control_open(&control, dir, o->command, false, err)) {
        err_hint(err, "\"pgcutover resume %s\" starts its engine again.", o->args[0]);
        return false;
    }
    if (!begin(o, &control, err))
        state = -1;
    while (state > 0 && (state = look(o, &control, err)) > 0)
        if (!stop_sleep(POLL_MS, err))
            state = -1;
    control_close(&control);
    return state == 0;
}

static void tell(const struct options *o)
{
    const char *name = o->args[0];

    if (strcmp(o->command, "remove") == 0)
        fprintf(stderr, "Migration \"%s\": the tables are removed from it. Their rows on the target stay as they are now: TRUNCATE or "
                "DROP them there where they are not wanted. \"pgcutover add %s\" takes a table in again, when it is empty there.\n",
                name, name);
    else
        fprintf(stderr, "Migration \"%s\": the tables are being loaded; \"pgcutover status %s --watch\" shows it.\n", name, name);
}

int cmd_change(const struct options *o)
{
    char *state_dir = cli_state_dir(o, NULL);
    const char *name = o->args[0];
    char *dir = xasprintf("%s/%s", state_dir, name);
    struct err err = ERR_INIT;
    int code = 0;

    stop_catch_signals(true);
    if (!plan_name_is_valid(name) || !file_exists(dir)) {
        err_set(&err, ERR_NOT_FOUND, "there is no migration \"%s\" in \"%s\"", name, state_dir);
        err_hint(&err, "\"pgcutover status\" lists what is there.");
        code = cli_fail(o, &err);
    } else if (!change(o, dir, &err)) {
        code = cli_fail(o, &err);
    }
    if (code == 0 && !o->quiet)
        tell(o);
    free(dir);
    free(state_dir);
    return code;
}
