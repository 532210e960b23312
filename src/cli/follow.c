/* How it works: the status is kept as a copy of the engine's (snapshot, then deltas), and looked at
 * after each message: progress for people at most once a second, and the end when the goal is
 * reached, something stopped, or the engine is gone. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "base/units.h"
#include "cli/cli.h"
#include "control/client.h"

#define FORGET_MS 10000

struct follow {
    const struct options *options;
    const char *dir;
    const char *name;
    const char *until;
    char *since; /* owned: older events are not told again */
    struct control_view view;
    int64_t last_line_ms;
    bool bar_shown;
};

static double num(const cJSON *object, const char *key)
{
    const cJSON *item = json_get(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static void add_load_rate(struct buf *out, const cJSON *database, double left_bytes)
{
    double rate = num(database, "fullLoadBytesPerSecond");
    char text[32];

    if (rate < 1 || left_bytes <= 0)
        return;
    units_bytes((int64_t)rate, text, sizeof text);
    buf_addf(out, ", %s/s", text);
    units_duration((int64_t)(left_bytes / rate * 1e6), text, sizeof text);
    buf_addf(out, ", %s left", text);
}

char *cli_progress_line(const cJSON *database)
{
    struct buf out = BUF_INIT;
    char a[32];
    char b[32];
    const char *phase = json_str(database, "phase");
    const char *detail = json_str(database, "phaseDetail");
    const char *hold = json_str(database, "hold");

    buf_addf(&out, "%s: %s", json_str(database, "databaseName"), hold ? hold : phase);
    if (strcmp(phase, "loading") == 0) {
        double bytes = num(database, "fullLoadBytes");
        double total = num(database, "fullLoadExpectedBytes");
        units_bytes((int64_t)bytes, a, sizeof a);
        units_bytes((int64_t)total, b, sizeof b);
        buf_addf(&out, " %.0f%% %s of about %s, tables %.0f/%.0f", total > 0 ? 100 * bytes / total : 0,
                 a, b, num(database, "fullLoadCompletedTables"), num(database, "tableCount"));
        add_load_rate(&out, database, total - bytes);
        if (num(database, "fullLoadErroredTables") > 0)
            buf_addf(&out, ", %.0f in error", num(database, "fullLoadErroredTables"));
    } else if (strcmp(phase, "done") == 0) {
        units_count((int64_t)num(database, "appliedChanges"), a, sizeof a);
        buf_addf(&out, ", %.0f tables, %s changes applied, writes were stopped for %.1f s",
                 num(database, "tableCount"), a, num(database, "downtimeSeconds"));
    } else if (num(database, "appliedChanges") > 0 || strcmp(phase, "syncing") == 0) {
        units_count((int64_t)num(database, "appliedChanges"), a, sizeof a);
        units_bytes((int64_t)num(database, "slotRetainedBytes"), b, sizeof b);
        buf_addf(&out, ", applied %s, incoming %.0f, lag %.1f s, slot keeps %s", a,
                 num(database, "incomingChanges"), num(database, "latency"), b);
    }
    if (detail && num(database, "phaseTotal") > 0)
        buf_addf(&out, ", %s %.0f/%.0f", detail, num(database, "phaseDone"),
                 num(database, "phaseTotal"));
    else if (detail)
        buf_addf(&out, ", %s", detail);
    if (strcmp(json_str(database, "migrationState"), "READY_TO_COMPLETE") == 0)
        buf_addstr(&out, " (READY_TO_COMPLETE)");
    return buf_take(&out);
}

/* --- showing --- */

static void show_json(const char *type, const cJSON *item)
{
    cJSON *message = cJSON_Duplicate(item, true);

    cJSON_DeleteItemFromObjectCaseSensitive(message, "type");
    json_add_str(message, "type", type);
    char *line = json_line(message);
    puts(line);
    fflush(stdout);
    free(line);
    cJSON_Delete(message);
}

static void end_bar(struct follow *f)
{
    if (f->bar_shown)
        fputs("\r\033[K", stderr);
    f->bar_shown = false;
}

static void show_event(struct follow *f, const cJSON *event)
{
    const char *level = json_str(event, "level");

    /* Such texts sort as the times do. */
    if (strcmp(json_str(event, "time"), f->since) < 0)
        return;
    if (f->options->json)
        show_json("event", event);
    if (f->options->quiet && strcmp(level, "error") != 0)
        return;
    end_bar(f);
    fprintf(stderr, "%.19s %s%s\n", json_str(event, "time"),
            strcmp(level, "info") == 0 ? "" : strcmp(level, "error") == 0 ? "ERROR: " : "warning: ",
            json_str(event, "text"));
}

static void show_events(struct follow *f, const cJSON *events)
{
    const cJSON *event;

    cJSON_ArrayForEach(event, events) show_event(f, event);
}

static void show_bar(struct follow *f, const char *line)
{
    fprintf(stderr, "\r\033[K%.78s", line);
    fflush(stderr);
    f->bar_shown = true;
}

static void show_progress(struct follow *f)
{
    const cJSON *item;
    int64_t now = clock_mono_ms();

    if (now - f->last_line_ms < 1000)
        return;
    f->last_line_ms = now;
    cJSON_ArrayForEach(item, cli_output(f->view.status))
    {
        if (!cli_is_type(item, "DatabaseLevelOutput"))
            continue;
        if (f->options->json)
            show_json("progress", item);
        if (f->options->quiet)
            continue;
        char *line = cli_progress_line(item);
        if (isatty(2))
            show_bar(f, line);
        else
            fprintf(stderr, "%s\n", line);
        free(line);
    }
}

/* -v: a line for each table that comes into another phase of its load. */
static void show_tables(struct follow *f, const cJSON *delta)
{
    const cJSON *item;
    char rows[32];
    char bytes[32];

    cJSON_ArrayForEach(item, json_get(delta, "output"))
    {
        const cJSON *before;
        if (!cli_is_type(item, "TableLevelOutput"))
            continue;
        before = control_view_find(&f->view, json_str(item, "id"));
        if (before && strcmp(json_str(before, "loadPhase"), json_str(item, "loadPhase")) == 0)
            continue;
        units_count((int64_t)num(item, "fullLoadTotalRows"), rows, sizeof rows);
        units_bytes((int64_t)num(item, "fullLoadTotalVolumeBytes"), bytes, sizeof bytes);
        end_bar(f);
        fprintf(stderr, "  table %s: %s, %s rows, %s\n", json_str(item, "tableName"),
                json_str(item, "loadPhase"), rows, bytes);
    }
}

/* --- deciding --- */

enum verdict { GO_ON, REACHED, STOPPED };

static bool is_reached(const cJSON *database, const char *until)
{
    const char *state = json_str(database, "migrationState");
    const char *hold = json_str(database, "hold");

    if (strcmp(until, "gone") == 0)
        return false;
    if (strcmp(state, "COMPLETE") == 0)
        return true;
    if (strcmp(until, "loaded") == 0)
        return json_bool(database, "initializationCompleted", false);
    if (strcmp(until, "ready") == 0)
        return strcmp(state, "READY_TO_COMPLETE") == 0;
    if (strcmp(until, "cancelled") == 0)
        return strcmp(state, "CANCELLED") == 0;
    return hold && strcmp(hold, "goal reached") == 0;
}

static bool is_stopped(const cJSON *database, const char *until)
{
    const char *state = json_str(database, "migrationState");

    if (strcmp(until, "gone") == 0) /* being deleted: only an error ends it here */
        return json_str(database, "hold") && strcmp(json_str(database, "hold"), "stopped") == 0;
    if (strcmp(until, "done") == 0 && json_bool(database, "cutoverFailed", false) &&
        strcmp(state, "FAILED") != 0)
        return strcmp(json_str(database, "phase"), "thawing") != 0; /* until it is writable again */
    return strcmp(state, "FAILED") == 0 || strcmp(state, "CANCELLED") == 0;
}

/* A database of the migration, the one of --database-name where that is given. */
static bool is_followed(const struct follow *f, const cJSON *item)
{
    const char *only = f->options->database_name;

    return cli_is_type(item, "DatabaseLevelOutput") &&
           (!only || strcmp(only, json_str(item, "databaseName")) == 0);
}

/* Databases are independent: the verdict waits until each has come to its end. */
static enum verdict judge(const struct follow *f, const cJSON **culprit)
{
    const cJSON *item;
    bool going = false;

    *culprit = NULL;

    cJSON_ArrayForEach(item, cli_output(f->view.status))
    {
        if (!is_followed(f, item) || is_reached(item, f->until))
            continue;
        if (!is_stopped(item, f->until))
            going = true;
        else if (!*culprit)
            *culprit = item;
    }
    return going ? GO_ON : *culprit ? STOPPED : REACHED;
}

static int tell_stopped(struct follow *f, const cJSON *database)
{
    const cJSON *error = json_get(database, "lastError");
    struct err err = ERR_INIT;

    end_bar(f);
    if (cJSON_IsObject(error))
        err_from_json(&err, error);
    else
        err_set(&err, ERR_SERVER, "database \"%s\" is %s", json_str(database, "databaseName"),
                json_str(database, "phase"));
    if (!err.hint && !f->options->outer && json_bool(database, "cutoverFailed", false) &&
        !json_str(database, "hold"))
        err_hint(&err, "The source is writable again and replication goes on. Mend it and run \"pgcutover "
                       "cutover %s\" again.", f->name);
    if (!err.hint && !f->options->outer && json_str(database, "hold"))
        err_hint(&err, "Mend it and run \"pgcutover resume %s\", or \"pgcutover cancel %s\" to undo "
                       "everything on the source.", f->name, f->name);
    return cli_fail(f->options, &err);
}

static void tell_reached(struct follow *f)
{
    const cJSON *item;

    end_bar(f);
    cJSON_ArrayForEach(item, cli_output(f->view.status))
    {
        if (!cli_is_type(item, "DatabaseLevelOutput"))
            continue;
        if (f->options->json)
            show_json("result", item);
        if (f->options->quiet)
            continue;
        char *line = cli_progress_line(item);
        fprintf(stderr, "%s\n", line);
        free(line);
    }
    if (f->options->quiet || f->options->outer)
        return;
    if (strcmp(f->until, "ready") == 0 || strcmp(f->until, "loaded") == 0)
        fprintf(stderr, "The engine goes on. Cut over with: pgcutover cutover %s\n", f->name);
    else if (strcmp(f->until, "checked") == 0 || strcmp(f->until, "schema") == 0)
        fprintf(stderr, "It goes on with: pgcutover resume %s\n", f->name);
}

/* --- following --- */

/* Tables are told of with -v alone. */
static cJSON *subscription(const struct follow *f)
{
    cJSON *request = json_message("subscribe");

    json_add_bool(request, "tables", f->options->verbose);
    return request;
}

static void take(struct follow *f, cJSON *message)
{
    const char *type = json_str(message, "type");

    if (type && strcmp(type, "snapshot") == 0) {
        control_view_set(&f->view, cJSON_DetachItemFromObjectCaseSensitive(message, "status"));
        show_events(f, json_get(json_get(f->view.status, "properties"), "events"));
    } else if (type && strcmp(type, "part") == 0 && f->view.status) {
        control_view_merge(&f->view, message);
    } else if (type && strcmp(type, "delta") == 0 && f->view.status) {
        if (f->options->verbose)
            show_tables(f, message);
        control_view_merge(&f->view, message);
        show_events(f, json_get(message, "events"));
    }
}

/* The engine is gone: its last word is in the status file. */
static void read_stored(struct follow *f)
{
    cJSON *stored = cli_stored_status(f->dir);

    if (stored) {
        control_view_set(&f->view, stored);
    }
}

static int interrupted(struct follow *f)
{
    end_bar(f);
    if (f->options->outer)
        return 130;
    fprintf(stderr, "pgcutover: interrupted\nThe engine of \"%s\" goes on: \"pgcutover status %s\" "
                    "shows it, \"pgcutover cancel %s\" undoes it.\n", f->name, f->name, f->name);
    return 130;
}

/* The engine's last act when it is to forget a migration is to remove the directory, socket and all: it
 * may still be at it. */
static bool is_forgotten(const struct follow *f)
{
    int64_t until = clock_mono_ms() + FORGET_MS;

    while (file_exists(f->dir)) {
        if (clock_mono_ms() > until)
            return false;
        usleep(10000);
    }
    return true;
}

static int gone(struct follow *f)
{
    const cJSON *culprit = NULL;
    struct err err = ERR_INIT;

    if (strcmp(f->until, "gone") == 0 && is_forgotten(f)) {
        end_bar(f);
        return 0;
    }
    read_stored(f);
    enum verdict verdict = f->view.status ? judge(f, &culprit) : GO_ON;
    if (verdict == REACHED) {
        tell_reached(f);
        return 0;
    }
    if (verdict == STOPPED)
        return tell_stopped(f, culprit);
    end_bar(f);
    err_set(&err, ERR_NOT_FOUND, "the engine of migration \"%s\" has ended", f->name);
    if (!f->options->outer)
        err_hint(&err, "\"pgcutover resume %s\" goes on where it was; the log is \"%s/log.jsonl\".",
                 f->name, f->dir);
    return cli_fail(f->options, &err);
}

static int run(struct follow *f, struct control *control)
{
    const cJSON *culprit = NULL;
    struct err err = ERR_INIT;

    for (;;) {
        if (f->options->outer && !f->options->outer->goes_on(f->options->outer)) {
            end_bar(f);
            return 1;
        }
        cJSON *message = channel_receive(&control->channel, 1000, &err);
        enum err_code code = err.code;
        err_clear(&err);
        if (!message && code == ERR_STOPPED)
            return interrupted(f);
        if (!message && code != ERR_TIMEOUT)
            return gone(f);
        if (message)
            take(f, message);
        cJSON_Delete(message);
        if (!f->view.status)
            continue;
        switch (judge(f, &culprit)) {
        case REACHED:
            tell_reached(f);
            return 0;
        case STOPPED:
            return tell_stopped(f, culprit);
        default:
            show_progress(f);
        }
    }
}

int cli_follow(const struct options *options, const char *dir, const char *name, const char *until)
{
    struct follow f = {.options = options, .dir = dir, .name = name, .until = until,
                       .since = clock_iso(options->since_us)};
    struct control control;
    struct err err = ERR_INIT;
    int code;

    /* A Ctrl-C while the engine was being started counts. */
    if (!options->outer && !stop_requested())
        stop_catch_signals(true);
    if (!control_open(&control, dir, options->command, false, &err)) {
        code = gone(&f);
    } else {
        channel_queue(&control.channel, subscription(&f));
        code = run(&f, &control);
        control_close(&control);
    }
    err_clear(&err);
    control_view_set(&f.view, NULL);
    free(f.since);
    return code;
}
