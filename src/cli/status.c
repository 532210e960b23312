#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "base/units.h"
#include "cli/cli.h"

static double num(const cJSON *object, const char *key)
{
    const cJSON *item = json_get(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static bool has_ended(const cJSON *status)
{
    static const char *const ends[] = {"Canceled", "Succeeded", "FailedInputValidation"};
    const char *state = json_str(json_get(status, "properties"), "state");
    const cJSON *item;

    for (size_t i = 0; state && i < sizeof ends / sizeof *ends; i++)
        if (strcmp(state, ends[i]) == 0)
            return true;
    cJSON_ArrayForEach(item, cli_output(status))
    {
        const char *phase = json_str(item, "phase");
        const char *hold = json_str(item, "hold");
        if (cli_is_type(item, "DatabaseLevelOutput") && strcmp(phase, "failed") != 0 &&
            !(hold && strcmp(hold, "goal reached") == 0))
            return false;
    }
    return true;
}

static void print_table_line(const cJSON *t)
{
    char rows[32];
    char bytes[32];
    char changes[3][24];
    static const char *const keys[] = {"cdcInsertCounter", "cdcUpdateCounter", "cdcDeleteCounter"};

    units_count((int64_t)num(t, "fullLoadTotalRows"), rows, sizeof rows);
    units_bytes((int64_t)num(t, "fullLoadTotalVolumeBytes"), bytes, sizeof bytes);
    for (int i = 0; i < 3; i++)
        units_count((int64_t)num(t, keys[i]), changes[i], sizeof changes[i]);
    printf("  %-34.34s %-10.10s %13s %9s %9s %9s %8s%s\n", json_str(t, "tableName"),
           json_str(t, "loadPhase"), rows, bytes, changes[0], changes[1], changes[2],
           cJSON_IsObject(json_get(t, "lastError")) ? "  !" : "");
}

static void print_steps(const cJSON *database)
{
    const cJSON *step;

    cJSON_ArrayForEach(step, json_get(database, "cutoverSteps"))
        printf("  cutover: %-22s %-8s %s\n", json_str(step, "name"), json_str(step, "state"),
               json_str(step, "text") ? json_str(step, "text") : "");
}

static void print_error(const cJSON *database)
{
    const cJSON *error = json_get(database, "lastError");
    struct err err = ERR_INIT;

    if (!cJSON_IsObject(error))
        return;
    err_from_json(&err, error);
    char *text = err_text(&err);
    printf("  last error: %s\n", text);
    free(text);
    err_clear(&err);
}

/* Why the target is behind, and how long the source can keep WAL for it. */
static void print_lag(const cJSON *database)
{
    const char *cause = json_str(database, "lagCause");
    const char *limit = json_str(database, "slotLimit");
    double left_s = num(database, "slotSecondsLeft");
    char kept[32];
    char left[32];

    if (cause)
        printf("  behind, waiting for %s: %s\n", cause, json_str(database, "lagDetail"));
    if (!limit || num(database, "slotRetainedBytes") <= 0)
        return;
    units_bytes((int64_t)num(database, "slotRetainedBytes"), kept, sizeof kept);
    units_bytes((int64_t)num(database, "slotBytesLeft"), left, sizeof left);
    printf("  the slot keeps %s of WAL; %s more until %s", kept, left, limit);
    if (cJSON_IsNumber(json_get(database, "slotSecondsLeft")))
        printf(", %.0f min at the measured rate", left_s / 60);
    puts("");
}

/* What of the schema is not as on the source, and why. */
static void print_decisions(const cJSON *database)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(database, "schemaDecisions"))
    {
        const char *decision = json_str(item, "decision"), *message = json_str(item, "message");
        const char *sqlstate = json_str(item, "sqlstate");
        bool edited = decision && strcmp(decision, "edit") == 0;
        printf("  schema: %s %s%s%s%s%s%s\n", json_str(item, "object"), edited ? "edited, " : "", json_str(item, "state"),
               message ? ": " : "", message ? message : "", sqlstate ? " " : "", sqlstate ? sqlstate : "");
    }
}

static void print_comparison(const cJSON *database)
{
    const cJSON *comparison = json_get(database, "schemaComparison"), *item;
    int shown = 0;

    if (!cJSON_IsObject(comparison))
        return;
    printf("  schemas: %.0f objects are the same, %.0f differ\n", cJSON_GetNumberValue(json_get(comparison, "same")),
           cJSON_GetNumberValue(json_get(comparison, "different")));
    cJSON_ArrayForEach(item, json_get(comparison, "list"))
        if (!json_str(item, "decision") && shown++ < 10)
            printf("  schemas: %s: %s\n", json_str(item, "object"), json_str(item, "difference"));
}

static void print_builds(const cJSON *database)
{
    const cJSON *build;

    cJSON_ArrayForEach(build, json_get(database, "indexBuilds"))
    {
        const char *index = json_str(build, "indexName");
        printf("  building %s of %s: %s", index ? index : "an index", json_str(build, "tableName"),
               json_str(build, "phase"));
        if (cJSON_IsNumber(json_get(build, "phasePercent")))
            printf(", %.0f %%", num(build, "phasePercent"));
        puts("");
    }
}

static void print_database(const cJSON *status, const cJSON *database)
{
    const cJSON *item;
    char *line = cli_progress_line(database);
    size_t shown = 0;

    printf("%s\n", line);
    free(line);
    print_lag(database);
    print_builds(database);
    print_decisions(database);
    print_comparison(database);
    print_error(database);
    if (json_str(database, "cutoverSetFor"))
        printf("  the cutover is set for %s, and begins by itself then\n", json_str(database, "cutoverSetFor"));
    print_steps(database);
    printf("  %-34s %-10s %13s %9s %9s %9s %8s\n", "Table", "State", "Rows", "Size", "Insert",
           "Update", "Delete");
    cJSON_ArrayForEach(item, cli_output(status))
    {
        if (!cli_is_type(item, "TableLevelOutput") ||
            strcmp(json_str(item, "databaseName"), json_str(database, "databaseName")) != 0)
            continue;
        if (shown++ < 60)
            print_table_line(item);
    }
    if (shown > 60)
        printf("  ... and %zu more (--json has them all)\n", shown - 60);
}

static void print_status(const cJSON *status)
{
    const cJSON *item;

    printf("Migration %s: %s\n", json_str(status, "name"),
           json_str(json_get(status, "properties"), "state"));
    cJSON_ArrayForEach(item, cli_output(status))
    {
        if (cli_is_type(item, "MigrationLevelOutput") && json_str(item, "sourceServer"))
            printf("%s (%s) -> %s (%s)\n", json_str(item, "sourceServer"),
                   json_str(item, "sourceVersion"), json_str(item, "targetServer"),
                   json_str(item, "targetVersion"));
        if (cli_is_type(item, "DatabaseLevelOutput"))
            print_database(status, item);
    }
}

/* A migration that has not ended and has no engine: what is shown is old. */
static int judge(const struct options *o, cJSON *status, bool live, const char *name)
{
    cJSON *properties = cJSON_GetObjectItemCaseSensitive(status, "properties");
    bool faulted = !live && !has_ended(status);

    if (faulted)
        cJSON_ReplaceItemInObjectCaseSensitive(properties, "state", cJSON_CreateString("Faulted"));
    if (o->json)
        cli_print_json(status);
    else
        print_status(status);
    if (faulted)
        fprintf(stderr, "pgcutover: the engine of \"%s\" does not answer; the numbers are its last\n"
                        "  hint: \"pgcutover resume %s\" goes on where it was.\n", name, name);
    return faulted ? 5 : 0;
}

static int show_one(const struct options *o, const char *state_dir, const char *name)
{
    struct err err = ERR_INIT;
    bool live = false;
    cJSON *status = cli_fetch_status(state_dir, name, true, &live, &err);

    if (!status)
        return cli_fail(o, &err);
    int code = judge(o, status, live, name);
    cJSON_Delete(status);
    return code;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t list_names(const char *state_dir, char ***names)
{
    DIR *dir = opendir(state_dir);
    struct dirent *entry;
    size_t count = 0;
    size_t cap = 0;

    *names = NULL;
    while (dir && (entry = readdir(dir))) {
        char *identity = xasprintf("%s/%s/migration.json", state_dir, entry->d_name);
        if (entry->d_name[0] != '.' && file_exists(identity)) {
            *names = xgrow(*names, count, &cap, sizeof **names);
            (*names)[count++] = xstrdup(entry->d_name);
        }
        free(identity);
    }
    if (dir)
        closedir(dir);
    if (count)
        qsort(*names, count, sizeof **names, by_name);
    return count;
}

static void print_summary(const char *name, const cJSON *status, bool live)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, cli_output(status))
    {
        if (!cli_is_type(item, "DatabaseLevelOutput"))
            continue;
        bool stale = !live && !has_ended(status);
        printf("%-20s %-20s %-18s %7.1f s%s\n", name, json_str(item, "databaseName"),
               json_str(item, "migrationState"), num(item, "latency"),
               stale ? "  engine does not answer" : "");
    }
}

static int show_all(const struct options *o, const char *state_dir)
{
    char **names;
    size_t count = list_names(state_dir, &names);
    cJSON *list = cJSON_CreateArray();

    if (!o->json && count)
        printf("%-20s %-20s %-18s %9s\n", "Name", "Database", "State", "Lag");
    for (size_t i = 0; i < count; i++) {
        struct err err = ERR_INIT;
        bool live = false;
        cJSON *status = cli_fetch_status(state_dir, names[i], o->json, &live, &err);
        if (status && !o->json)
            print_summary(names[i], status, live);
        if (status)
            cJSON_AddItemToArray(list, status);
        err_clear(&err);
        free(names[i]);
    }
    if (o->json)
        cli_print_json(list);
    else if (!count)
        printf("There are no migrations in \"%s\".\n", state_dir);
    cJSON_Delete(list);
    free(names);
    return 0;
}

static int watch(const struct options *o, const char *state_dir, const char *name)
{
    struct err err = ERR_INIT;

    stop_catch_signals(true);
    for (;;) {
        bool live = false;
        cJSON *status = cli_fetch_status(state_dir, name, true, &live, &err);
        if (!status)
            return cli_fail(o, &err);
        if (isatty(1) && !o->json)
            fputs("\033[H\033[J", stdout);
        int code = judge(o, status, live, name);
        bool over = !live || has_ended(status);
        cJSON_Delete(status);
        fflush(stdout);
        if (over)
            return code;
        if (!stop_sleep(1000, &err)) {
            err_clear(&err);
            fprintf(stderr, "The engine of \"%s\" goes on.\n", name);
            return 130;
        }
    }
}

int cmd_status(const struct options *o)
{
    char *state_dir = cli_state_dir(o, NULL);
    int code;

    if (o->watch && !o->arg_count) {
        fputs("pgcutover: --watch needs the name of a migration\n", stderr);
        code = 2;
    } else if (!o->arg_count) {
        code = show_all(o, state_dir);
    } else if (o->watch) {
        code = watch(o, state_dir, o->args[0]);
    } else {
        code = show_one(o, state_dir, o->args[0]);
    }
    free(state_dir);
    return code;
}
