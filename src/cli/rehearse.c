/* cutover --rehearse: what the cutover would take, measured. */
#include <stdio.h>
#include <stdlib.h>

#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "control/client.h"

#define POLL_MS 200

static cJSON *ask(const struct options *o, struct control *control, const char *command, struct err *err)
{
    cJSON *request = json_message("command");

    json_add_str(request, "command", command);
    json_add_str(request, "databaseName", o->database_name);
    return control_ask(control, request, err);
}

/* The last answer; NULL with err. */
static cJSON *wait_for_end(const struct options *o, struct control *control, struct err *err)
{
    cJSON *answer = ask(o, control, "rehearsal", err);

    while (answer && json_bool(answer, "pending", false)) {
        cJSON_Delete(answer);
        answer = stop_sleep(POLL_MS, err) ? ask(o, control, "rehearsal", err) : NULL;
    }
    return answer;
}

static bool print(const struct options *o, const cJSON *answer, struct err *err)
{
    const cJSON *database;

    if (o->json) {
        cli_print_json(json_get(answer, "databases"));
    }
    cJSON_ArrayForEach(database, json_get(answer, "databases"))
    {
        const char *text = json_str(database, "text");
        if (cJSON_IsObject(json_get(database, "error")) && !err_is_set(err))
            err_from_json(err, json_get(database, "error"));
        else if (!o->json && text)
            printf("Database \"%s\": %s\n", json_str(database, "databaseName"), text);
    }
    fflush(stdout);
    return !err_is_set(err);
}

int cmd_rehearse(const struct options *o)
{
    char *state_dir = cli_state_dir(o, NULL);
    const char *name = o->args[0];
    char *dir = xasprintf("%s/%s", state_dir, name);
    struct control control;
    struct err err = ERR_INIT;
    bool ok = false;

    stop_catch_signals(true);
    if (!plan_name_is_valid(name) || !file_exists(dir)) {
        err_set(&err, ERR_NOT_FOUND, "there is no migration \"%s\" in \"%s\"", name, state_dir);
        err_hint(&err, "\"pgcutover status\" lists what is there.");
    } else if (!control_open(&control, dir, "rehearse", false, &err)) {
        err_hint(&err, "\"pgcutover resume %s\" starts its engine again.", name);
    } else {
        cJSON *begun = ask(o, &control, "rehearse", &err);
        cJSON *answer = begun ? wait_for_end(o, &control, &err) : NULL;
        control_close(&control);
        ok = answer && print(o, answer, &err);
        cJSON_Delete(begun);
        cJSON_Delete(answer);
    }
    free(dir);
    free(state_dir);
    return ok ? 0 : cli_fail(o, &err);
}
