/* verify: has the engine compare source and target while it streams, and prints what came of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "base/units.h"
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
    cJSON *request = request_for(o, "verify");
    cJSON *tables = cJSON_AddArrayToObject(request, "tables");

    for (int i = 1; i < o->arg_count; i++)
        cJSON_AddItemToArray(tables, cJSON_CreateString(o->args[i]));
    json_add_bool(request, "repair", o->repair);
    cJSON *answer = control_ask(control, request, err);
    cJSON_Delete(answer);
    return answer != NULL;
}

/* --- progress, on a terminal --- */

static void show_progress(const struct options *o, const cJSON *answer)
{
    const cJSON *database;

    if (o->quiet || !isatty(2))
        return;
    fputs("\r\033[K", stderr);
    cJSON_ArrayForEach(database, json_get(answer, "databases"))
    {
        const char *lsn = json_str(database, "lsn");
        const char *phase = json_str(database, "phase");
        if (lsn)
            fprintf(stderr, "%s: %lld of %lld tables compared as of %s  ", json_str(database, "databaseName"),
                    (long long)json_i64(database, "tablesDone", 0), (long long)json_i64(database, "tablesTotal", 0), lsn);
        else
            fprintf(stderr, "%s: %s  ", json_str(database, "databaseName"), phase ? phase : "beginning");
    }
    fflush(stderr);
}

static void end_progress(const struct options *o)
{
    if (!o->quiet && isatty(2))
        fputs("\r\033[K", stderr);
}

/* The engine's last answer; NULL with err. */
static cJSON *wait_for_end(const struct options *o, struct control *control, struct err *err)
{
    for (;;) {
        cJSON *answer = control_ask(control, request_for(o, "verification"), err);
        if (!answer || !json_bool(answer, "pending", false)) {
            end_progress(o);
            return answer;
        }
        show_progress(o, answer);
        cJSON_Delete(answer);
        if (!stop_sleep(POLL_MS, err)) {
            end_progress(o);
            err_hint(err, "The engine goes on comparing; its events and \"pgcutover status --json %s\" tell the result.",
                     o->args[0]);
            return NULL;
        }
    }
}

/* --- the result, for people --- */

struct counts {
    int equal, different, failed, skipped;
};

static bool is_state(const cJSON *table, const char *state)
{
    const char *text = json_str(table, "state");

    return text && strcmp(text, state) == 0;
}

static struct counts count(const cJSON *database)
{
    struct counts n = {0};
    const cJSON *table;

    cJSON_ArrayForEach(table, json_get(database, "tables"))
    {
        n.equal += is_state(table, "equal") || is_state(table, "equal in part");
        n.different += is_state(table, "different");
        n.failed += is_state(table, "failed");
        n.skipped += is_state(table, "skipped");
    }
    return n;
}

static void print_values(const char *before, const cJSON *values)
{
    const cJSON *value;
    bool first = true;

    fputs(before, stdout);
    cJSON_ArrayForEach(value, values)
    {
        printf("%s%s=%s", first ? "" : ", ", value->string, cJSON_IsString(value) ? value->valuestring : "NULL");
        first = false;
    }
    putchar('\n');
}

static void print_row(const cJSON *row)
{
    const cJSON *key = json_get(row, "key");
    const cJSON *source = json_get(row, "source");
    const cJSON *target = json_get(row, "target");

    if (cJSON_IsObject(key))
        print_values("    ", key);
    else
        puts("    a row without a key");
    if (cJSON_IsObject(source))
        print_values("      source: ", source);
    else
        puts("      source: there is no such row");
    if (cJSON_IsObject(target))
        print_values("      target: ", target);
    else
        puts("      target: there is no such row");
}

static void print_table(const cJSON *table)
{
    const char *note = json_str(table, "note");
    long long repaired = (long long)json_i64(table, "repairedRows", 0);
    const cJSON *row;

    if (is_state(table, "equal") && !repaired)
        return;
    printf("  %s: %s", json_str(table, "tableName"), json_str(table, "state"));
    if (repaired)
        printf(", after %lld row%s had been copied again", repaired, repaired == 1 ? "" : "s");
    printf("%s%s\n", note ? ": " : "", note ? note : "");
    cJSON_ArrayForEach(row, json_get(json_get(table, "differences"), "rows"))
        print_row(row);
}

static void print_database(const cJSON *database)
{
    struct counts n = count(database);
    const cJSON *table;

    printf("Database \"%s\", as of %s: %d table%s equal, %d different", json_str(database, "databaseName"),
           json_str(database, "lsn") ? json_str(database, "lsn") : "no position", n.equal, n.equal == 1 ? "" : "s",
           n.different);
    if (n.failed)
        printf(", %d could not be compared", n.failed);
    if (n.skipped)
        printf(", %d skipped", n.skipped);
    puts(".");
    cJSON_ArrayForEach(table, json_get(database, "tables"))
        print_table(table);
}

static void print(const struct options *o, const cJSON *answer)
{
    const cJSON *database;

    if (o->json) {
        cJSON *out = json_message("verification");
        cJSON_AddItemToObject(out, "databases", cJSON_Duplicate(json_get(answer, "databases"), true));
        cli_print_json(out);
        cJSON_Delete(out);
        return;
    }
    cJSON_ArrayForEach(database, json_get(answer, "databases"))
        print_database(database);
}

/* The first error of a database, or of a table that could not be compared; differences come before both. */
static bool is_equal(const struct options *o, const cJSON *answer, struct err *err)
{
    const cJSON *database;
    int different = 0, failed = 0;

    cJSON_ArrayForEach(database, json_get(answer, "databases"))
    {
        struct counts n = count(database);
        different += n.different;
        failed += n.failed;
    }
    if (different) {
        err_set(err, ERR_DIFFERENT, "%d table%s between source and target", different,
                different == 1 ? " differs" : "s differ");
        err_hint(err, "\"pgcutover verify %s TABLE... --repair\" copies the rows that differ again; \"pgcutover reload %s "
                      "TABLE...\" loads whole tables.", o->args[0], o->args[0]);
        return false;
    }
    cJSON_ArrayForEach(database, json_get(answer, "databases"))
    {
        if (cJSON_IsObject(json_get(database, "error"))) {
            err_from_json(err, json_get(database, "error"));
            return false;
        }
    }
    if (failed)
        err_set(err, ERR_SERVER, "%d table%s could not be compared: nothing is known of %s", failed,
                failed == 1 ? "" : "s", failed == 1 ? "it" : "them");
    return !failed;
}

static bool verify(const struct options *o, const char *dir, struct err *err)
{
    struct control control;

    if (!control_open(&control, dir, "verify", false, err)) {
        err_hint(err, "\"pgcutover resume %s\" starts its engine again.", o->args[0]);
        return false;
    }
    cJSON *answer = begin(o, &control, err) ? wait_for_end(o, &control, err) : NULL;
    control_close(&control);
    if (!answer)
        return false;
    print(o, answer);
    bool ok = is_equal(o, answer, err);
    cJSON_Delete(answer);
    return ok;
}

int cmd_verify(const struct options *o)
{
    char *state_dir = cli_state_dir(o, NULL);
    const char *name = o->args[0];
    char *dir = xasprintf("%s/%s", state_dir, name);
    struct err err = ERR_INIT;
    bool ok = false;

    stop_catch_signals(true);
    if (!plan_name_is_valid(name) || !file_exists(dir)) {
        err_set(&err, ERR_NOT_FOUND, "there is no migration \"%s\" in \"%s\"", name, state_dir);
        err_hint(&err, "\"pgcutover status\" lists what is there.");
    } else {
        ok = verify(o, dir, &err);
    }
    fflush(stdout);
    free(dir);
    free(state_dir);
    return ok ? 0 : cli_fail(o, &err);
}
