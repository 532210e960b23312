/* How it works: everything lives in one temporary directory: two servers (demo_server.h), the plan
 * and the migration's state. The steps are a table; the first that fails ends it. Whatever happens,
 * also a signal, clean_up() then ends what still runs and removes the directory; it needs no server
 * and does not heed further signals. The migration itself goes through the same functions as
 * --batch and the commands; the verdict (demo_verdict.h) does not. On a terminal the user does the
 * migration, in the wizard. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/demo_server.h"
#include "cli/demo_verdict.h"
#include "cli/demo_writer.h"
#include "control/client.h"
#include "demo/sql.h"
#include "engine/engine.h"
#include "report/report.h"
#include "ui/ui.h"

#define NAME "demo"
#define DATABASE "shop"
#define CLERK "shop_clerk" /* of demo/clerk.sql */
#define SYNC_MS 4000
#define ENGINE_GRACE_MS 5000
#define WRITERS_GRACE_MS 10000
#define SESSIONS_GRACE_MS 5000
#define DEADLINE_MS (10 * 60 * 1000) /* it takes half a minute: something hangs */
#define LOG_LINES 12

struct demo {
    struct cli_outer outer;    /* first: goes_on() gets it */
    const struct options *options;
    struct options inner;      /* for the functions of other commands */
    char *dir;                 /* owned; NULL: not made yet */
    char *state_dir, *migration_dir; /* owned */
    struct demo_programs programs;
    struct demo_server source, target;
    struct demo_writers writers;
    int engine_pid;            /* 0: none was started */
    struct demo_verdict verdict;
    int64_t rounds, changes;
    double downtime_ms;
    int64_t started_ms;
    struct err hopeless;       /* why following was given up */
    bool for_user;             /* on a terminal: the wizard does what the steps do else */
    bool cut_over;             /* and the user has */
};

static void say(const struct demo *d, const char *fmt, ...) PGC_PRINTF(2, 3);
static void say(const struct demo *d, const char *fmt, ...)
{
    va_list args;

    if (d->options->quiet)
        return;
    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    fprintf(stderr, "demo: %s\n", text);
    free(text);
}

/* --- two servers --- */

/* Servers of the user's environment have no place here. */
static void forget_environment(void)
{
    static const char *const others[] = {"PGDATESTYLE", "PGTZ", "PGGEQO"};
    PQconninfoOption *all = PQconndefaults();

    for (PQconninfoOption *option = all; option && option->keyword; option++)
        if (option->envvar)
            unsetenv(option->envvar);
    PQconninfoFree(all);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        unsetenv(others[i]);
}

static bool make_dir(struct demo *d, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = xasprintf("%s/pgcutover-demo.XXXXXX", tmp && tmp[0] == '/' ? tmp : "/tmp");

    if (!mkdtemp(dir)) {
        err_errno(err, "could not make a directory like \"%s\"", dir);
        free(dir);
        return false;
    }
    d->dir = dir;
    d->state_dir = xasprintf("%s/state", dir);
    d->migration_dir = xasprintf("%s/" NAME, d->state_dir);
    d->inner.state_dir = d->state_dir;
    /* The servers' user must get through to their own directories, which are private. */
    if (!d->programs.uid || chmod(dir, 0711) == 0)
        return true;
    err_errno(err, "could not open \"%s\" to the servers' user", dir);
    return false;
}

static bool make_servers(struct demo *d, struct err *err)
{
    if (!demo_programs_find(&d->programs, err) || !make_dir(d, err))
        return false;
    say(d, "two servers of PostgreSQL %d in %s", d->programs.major, d->dir);
    return demo_server_make(&d->source, &d->programs, d->dir, err) &&
           demo_server_make(&d->target, &d->programs, d->dir, err) &&
           demo_server_start(&d->source, &d->programs, err) &&
           demo_server_start(&d->target, &d->programs, err);
}

static bool load_sample(struct demo *d, struct err *err)
{
    struct conn conn = CONN_INIT;

    say(d, "sample data goes into the source");
    bool ok = demo_server_connect(&d->source, "postgres", &conn, err) &&
              conn_command(&conn, "CREATE DATABASE " DATABASE, err);
    conn_close(&conn);
    ok = ok && demo_server_connect(&d->source, DATABASE, &conn, err) &&
         conn_command(&conn, sql_demo_sample, err) && conn_command(&conn, sql_demo_clerk, err);
    conn_close(&conn);
    return ok;
}

static bool start_writers(struct demo *d, struct err *err)
{
    say(d, "a workload inserts, updates and deletes from now on");
    return demo_writers_start(&d->writers, d->source.dir, DATABASE, CLERK, err);
}

/* --- the migration --- */

static void add_endpoint(cJSON *plan, const char *key, const char *host)
{
    cJSON *endpoint = cJSON_AddObjectToObject(plan, key);

    json_add_str(endpoint, "serverName", host);
    json_add_num(endpoint, "port", 5432);
    json_add_str(endpoint, "userName", "postgres");
    json_add_str(endpoint, "password", "");
    json_add_str(endpoint, "databaseName", DATABASE);
}

static char *write_plan(struct demo *d, struct err *err)
{
    cJSON *plan = cJSON_CreateObject();
    cJSON *databases = cJSON_CreateArray();
    cJSON *database = cJSON_CreateObject();
    char *path = xasprintf("%s/plan.json", d->dir);

    json_add_str(plan, "name", NAME);
    add_endpoint(plan, "source", d->source.dir);
    add_endpoint(plan, "target", d->target.dir);
    json_add_str(database, "name", DATABASE);
    cJSON_AddItemToArray(databases, database);
    cJSON_AddItemToObject(plan, "databases", databases);
    json_add_str(cJSON_AddObjectToObject(plan, "cutover"), "when", "manual");
    char *text = json_pretty_sorted(plan);
    bool ok = file_write_atomic(path, text, strlen(text), err);
    free(text);
    cJSON_Delete(plan);
    if (ok)
        return path;
    free(path);
    return NULL;
}

/* Starts an engine for m, which is released. command: what it begins with, or NULL. */
static bool start_engine(struct demo *d, struct migration *m, const char *command, struct err *err)
{
    struct engine_options options = {.state_dir = d->state_dir, .command = command,
                                     .log_level = cli_log_level(d->options, &m->plan)};
    bool ok = engine_start(m, &options, &d->engine_pid, err);

    migration_release(m);
    return ok;
}

/* The engine would wait for a server that is gone; the demonstration does not. */
static bool is_hopeless(struct demo *d, struct err *err)
{
    if (demo_server_has_ended(&d->source, err) || demo_server_has_ended(&d->target, err))
        return true;
    if (d->for_user || clock_mono_ms() < d->started_ms + DEADLINE_MS)
        return false;
    err_set(err, ERR_TIMEOUT, "the demonstration did not end within %d minutes",
            DEADLINE_MS / 60000);
    return true;
}

static bool goes_on(struct cli_outer *outer)
{
    struct demo *d = (struct demo *)outer;

    return !is_hopeless(d, &d->hopeless);
}

static bool follow(struct demo *d, const char *until, struct err *err)
{
    int code = cli_follow(&d->inner, d->migration_dir, NAME, until);

    d->inner.since_us = clock_wall_us();
    if (code == 0)
        return true;
    if (err_is_set(&d->hopeless))
        err_move(err, &d->hopeless);
    else if (!stop_check(err)) /* cli_follow() has said more */
        err_set(err, code == 3 ? ERR_PREREQUISITE : code == 4 ? ERR_DIFFERENT : ERR_SERVER,
                "the migration did not get to \"%s\"", until);
    return false;
}

static bool migrate(struct demo *d, struct err *err)
{
    struct plan plan = {0};
    struct migration m = {0};
    char *path = write_plan(d, err);

    say(d, "the migration starts: %s", path ? path : "");
    bool ok = path && cli_read_plan(&d->inner, path, &plan, err) &&
              engine_prepare_new(&m, &plan, GOAL_READY, d->state_dir, err) &&
              start_engine(d, &m, NULL, err) && follow(d, "ready", err);
    plan_release(&plan);
    free(path);
    return ok;
}

static bool keep_in_sync(struct demo *d, struct err *err)
{
    char name[] = NAME;
    char *args[] = {name, NULL};
    struct options status = d->inner;

    say(d, "syncing for %d s", SYNC_MS / 1000);
    if (!stop_sleep(SYNC_MS, err))
        return false;
    if (d->options->json || d->options->quiet)
        return true;
    status.args = args;
    status.arg_count = 1;
    bool ok = cmd_status(&status) == 0;
    fflush(stdout);
    if (!ok)
        err_set(err, ERR_NOT_FOUND, "the engine does not answer");
    return ok;
}

/* The engine has stored its last word and is gone, or is about to. */
static bool wait_for_engine(struct demo *d, struct err *err)
{
    int64_t until = clock_mono_ms() + ENGINE_GRACE_MS;

    while (engine_is_running(d->state_dir, NAME)) {
        if (!stop_sleep(20, err))
            return false;
        if (clock_mono_ms() > until) {
            err_set(err, ERR_TIMEOUT, "the engine has not ended after the cutover");
            return false;
        }
    }
    d->engine_pid = 0;
    return true;
}

static bool read_numbers(struct demo *d, struct err *err)
{
    char *path = xasprintf("%s/status.json", d->migration_dir);
    struct buf text = BUF_INIT;
    cJSON *status = file_read(path, &text, err) ? cJSON_Parse(text.data) : NULL;
    const cJSON *item;
    bool found = false;

    cJSON_ArrayForEach(item, cli_output(status))
    {
        const cJSON *downtime = json_get(item, "downtimeSeconds");
        if (!cli_is_type(item, "DatabaseLevelOutput") || !cJSON_IsNumber(downtime))
            continue;
        d->changes = json_i64(item, "appliedChanges", 0);
        d->downtime_ms = 1000 * downtime->valuedouble;
        found = true;
    }
    if (!found && !err_is_set(err))
        err_set(err, ERR_PROTOCOL, "\"%s\" has no numbers", path);
    cJSON_Delete(status);
    buf_release(&text);
    free(path);
    return found;
}

/* The engine refuses while the target is behind, and on a busy machine it may be by now. */
static bool ask_for_cutover(struct demo *d, struct err *err)
{
    struct control control;
    bool ok = false;

    while (!ok) {
        err_clear(err);
        if (!follow(d, "ready", err) ||
            !control_open(&control, d->migration_dir, "demo", false, err))
            return false;
        ok = control_command(&control, "cutover", NULL, err);
        control_close(&control);
        if (!ok && (err->code != ERR_USAGE || is_hopeless(d, err) || !stop_sleep(200, err)))
            return false;
    }
    return true;
}

static bool cut_over(struct demo *d, struct err *err)
{
    say(d, "cutting over");
    return ask_for_cutover(d, err) && follow(d, "done", err) && wait_for_engine(d, err) &&
           read_numbers(d, err) &&
           demo_writers_join(&d->writers, WRITERS_GRACE_MS, &d->rounds, err);
}

/* What a change ticket would get; before the migration is forgotten. */
static bool report(struct demo *d, struct err *err)
{
    if (d->options->json || d->options->quiet)
        return true;
    char *text = cli_report(d->state_dir, NAME, report_text, err);
    char *statements = text ? strstr(text, "\nStatements that changed") : NULL;
    if (statements)
        *statements = '\0';
    if (text) {
        say(d, "the report, as \"pgcutover report\" gives it, but for its list of statements:");
        printf("\n%s\n", text);
        fflush(stdout);
    }
    free(text);
    return !err_is_set(err);
}

static bool forget(struct demo *d, struct err *err)
{
    struct migration m;

    say(d, "deleting the migration");
    return engine_load(&m, d->state_dir, NAME, err) && start_engine(d, &m, "delete", err) &&
           follow(d, "gone", err) && wait_for_engine(d, err);
}

/* --- the verdict --- */

static bool on_both(struct demo *d,
                    bool (*ask)(struct demo_verdict *verdict, struct conn *source,
                                struct conn *target, struct err *err),
                    struct err *err)
{
    struct conn source = CONN_INIT;
    struct conn target = CONN_INIT;
    bool ok = demo_server_connect(&d->source, DATABASE, &source, err) &&
              demo_server_connect(&d->target, DATABASE, &target, err) &&
              ask(&d->verdict, &source, &target, err);

    conn_close(&source);
    conn_close(&target);
    return ok;
}

static bool compare(struct demo *d, struct err *err)
{
    say(d, "comparing source and target by plain SQL");
    return on_both(d, demo_verdict_compare, err);
}

static bool find_leftovers(struct demo_verdict *verdict, struct conn *source, struct conn *target,
                           struct err *err)
{
    return demo_verdict_leftovers(verdict, source, target, SESSIONS_GRACE_MS, err);
}

static bool look_for_leftovers(struct demo *d, struct err *err)
{
    if (!on_both(d, find_leftovers, err))
        return false;
    if (file_exists(d->migration_dir))
        cJSON_AddItemToArray(d->verdict.leftovers, cJSON_CreateString("the migration's directory"));
    return true;
}

typedef bool (*demo_step)(struct demo *d, struct err *err);

static const demo_step steps[] = {
    make_servers, load_sample, start_writers, migrate, keep_in_sync, cut_over, compare, report, forget, look_for_leftovers, NULL,
};

/* --- on a terminal: the user does it --- */

/* The migration that the user has cut over, and no other: where it is. */
static bool find_cut_over(struct demo *d)
{
    struct dirent *entry;
    DIR *dir = opendir(d->state_dir);
    bool found = false;

    while (dir && !found && (entry = readdir(dir))) {
        char *path = xasprintf("%s/%s", d->state_dir, entry->d_name);
        cJSON *status = entry->d_name[0] == '.' ? NULL : cli_stored_status(path);
        const char *state = json_str(json_get(status, "properties"), "state");
        found = state && strcmp(state, "Succeeded") == 0;
        cJSON_Delete(status);
        if (found) {
            free(d->migration_dir);
            d->migration_dir = path;
        } else {
            free(path);
        }
    }
    if (dir)
        closedir(dir);
    return found;
}

static bool show_screens(struct demo *d, struct err *err)
{
    char *path = write_plan(d, err);
    struct ui_options options = {.state_dir = d->state_dir, .plan = path, .program = "/proc/self/exe"};

    if (path && !d->options->quiet)
        fprintf(stderr, "demo: the wizard opens with a plan for these two servers: Enter goes on, step by step; F1 helps, q leaves.\n"
                        "demo: what the target's database is called, where that is asked: " DATABASE "\n");
    bool ok = path && stop_sleep(1500, err);
    if (ok)
        ui_run(&options, err);
    free(path);
    return ok && !err_is_set(err);
}

static bool look_at_it(struct demo *d, struct err *err)
{
    if (!find_cut_over(d)) {
        say(d, "no migration was cut over: there is nothing to compare");
        return true;
    }
    d->cut_over = true;
    return read_numbers(d, err) && demo_writers_join(&d->writers, WRITERS_GRACE_MS, &d->rounds, err) && compare(d, err);
}

static const demo_step steps_of_user[] = {make_servers, load_sample, start_writers, show_screens, look_at_it, NULL};

static bool is_for_user(const struct options *o)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && !o->quiet && !o->json;
}

/* The user's engines are no children of this process, and may have any name. */
static void end_engines_of_user(struct demo *d)
{
    struct dirent *entry;
    DIR *dir = d->state_dir ? opendir(d->state_dir) : NULL;

    while (dir && (entry = readdir(dir))) {
        struct control control;
        int pid = 0;
        if (entry->d_name[0] == '.' || !engine_is_running(d->state_dir, entry->d_name))
            continue;
        char *path = xasprintf("%s/%s", d->state_dir, entry->d_name);
        if (control_open(&control, path, "demo", false, NULL)) {
            pid = control.engine_pid;
            kill(pid, SIGTERM);
            control_close(&control);
        }
        for (int i = 0; i < ENGINE_GRACE_MS / 20 && engine_is_running(d->state_dir, entry->d_name); i++)
            usleep(20000);
        if (pid > 0 && engine_is_running(d->state_dir, entry->d_name))
            kill(pid, SIGKILL);
        free(path);
    }
    if (dir)
        closedir(dir);
}

/* --- the report --- */

static int code_of(const struct demo *d, const struct err *err)
{
    if (err_is_set(err))
        return err_exit_code(err);
    if (cJSON_GetArraySize(d->verdict.differences))
        return 4;
    return cJSON_GetArraySize(d->verdict.leftovers) ? 1 : 0;
}

static void print_list(const char *title, const cJSON *texts)
{
    const cJSON *text;

    if (cJSON_GetArraySize(texts))
        printf("  %s\n", title);
    cJSON_ArrayForEach(text, texts) printf("    %s\n", text->valuestring);
}

static void print_report(const struct demo *d)
{
    const struct demo_verdict *v = &d->verdict;
    bool equal = !cJSON_GetArraySize(v->differences);
    char rows[32];
    char changes[32];
    char rounds[32];

    units_count(v->rows, rows, sizeof rows);
    units_count(d->changes, changes, sizeof changes);
    units_count(d->rounds, rounds, sizeof rounds);
    printf("\nDemonstration: source and target are %s\n", equal ? "equal" : "different");
    printf("  tables       %zu with %s rows, %zu materialized view%s, %zu sequences\n", v->tables,
           rows, v->views, v->views == 1 ? "" : "s", v->sequences);
    printf("  definitions  %zu (columns, indexes, constraints, triggers, views, privileges, ...)\n",
           v->objects);
    printf("  workload     %s rounds; %s changes applied while it ran\n", rounds, changes);
    printf("  downtime     %.0f ms from the stop of writes to the open target\n", d->downtime_ms);
    if (!d->for_user)
        printf("  left behind  %s\n", cJSON_GetArraySize(v->leftovers) ? "see below"
                                                                   : "nothing on either server");
    print_list("Differences:", v->differences);
    print_list("Left behind:", v->leftovers);
}

static void print_result(const struct demo *d, const struct err *err, int code)
{
    const struct demo_verdict *v = &d->verdict;
    cJSON *result = json_message("result");

    json_add_num(result, "exitCode", code);
    cJSON_AddItemToObject(result, "error",
                          err_is_set(err) ? err_to_json(err) : cJSON_CreateNull());
    json_add_bool(result, "equal", !err_is_set(err) && !cJSON_GetArraySize(v->differences));
    cJSON_AddItemToObject(result, "differences", cJSON_Duplicate(v->differences, true));
    cJSON_AddItemToObject(result, "leftovers", cJSON_Duplicate(v->leftovers, true));
    json_add_num(result, "postgresMajor", d->programs.major);
    json_add_num(result, "tables", (double)v->tables);
    json_add_num(result, "rows", (double)v->rows);
    json_add_num(result, "materializedViews", (double)v->views);
    json_add_num(result, "sequences", (double)v->sequences);
    json_add_num(result, "definitions", (double)v->objects);
    json_add_num(result, "workloadRounds", (double)d->rounds);
    json_add_num(result, "appliedChanges", (double)d->changes);
    json_add_num(result, "downtimeMs", d->downtime_ms);
    json_add_num(result, "seconds", (double)(clock_mono_ms() - d->started_ms) / 1000);
    char *line = json_line(result);
    puts(line);
    free(line);
    cJSON_Delete(result);
}

/* --- the end --- */

static void show_log(const struct demo_server *server)
{
    char *tail = demo_server_log_tail(server, LOG_LINES);

    if (tail)
        fprintf(stderr, "The last lines of the %s server's log:\n%s", side_name(server->side),
                tail);
    free(tail);
}

static void tell_failure(const struct demo *d, const struct err *err)
{
    char *text = err_text(err);

    if (err->code == ERR_STOPPED) {
        fprintf(stderr, "pgcutover: interrupted\nEverything the demonstration made is removed.\n");
    } else {
        fprintf(stderr, "pgcutover: %s\n", text);
        show_log(&d->source);
        show_log(&d->target);
    }
    free(text);
}

static void end_engine(struct demo *d)
{
    int64_t until = clock_mono_ms() + ENGINE_GRACE_MS;
    bool killed = false;

    if (!d->engine_pid)
        return;
    if (engine_is_running(d->state_dir, NAME))
        kill(d->engine_pid, SIGTERM);
    while (engine_is_running(d->state_dir, NAME)) {
        if (clock_mono_ms() > until && !killed) {
            kill(d->engine_pid, SIGKILL);
            killed = true;
        }
        usleep(20000);
    }
}

/* Nothing here asks whether a stop was requested, and no signal ends it. */
static bool clean_up(struct demo *d, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    bool ok = true;

    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        signal(signals[i], SIG_IGN);
    end_engine(d);
    end_engines_of_user(d);
    demo_writers_end(&d->writers);
    demo_server_release(&d->source);
    demo_server_release(&d->target);
    if (d->dir)
        ok = dir_remove(d->dir, err);
    free(d->dir);
    free(d->state_dir);
    free(d->migration_dir);
    return ok;
}

static bool run_steps(struct demo *d, struct err *err)
{
    for (const demo_step *step = d->for_user ? steps_of_user : steps; *step; step++) {
        if (stop_check(err) || is_hopeless(d, err))
            return false;
        if ((*step)(d, err))
            continue;
        /* Whatever the step complains of: a server that is gone is why. */
        if (err->code != ERR_STOPPED)
            is_hopeless(d, err);
        return false;
    }
    return true;
}

int cmd_demo(const struct options *options)
{
    struct demo d = {.options = options, .inner = *options,
                     .source = {.side = SIDE_SOURCE}, .target = {.side = SIDE_TARGET},
                     .started_ms = clock_mono_ms(), .for_user = is_for_user(options)};
    struct err err = ERR_INIT;
    struct err failed = ERR_INIT;

    if (options->state_dir) {
        err_set(&err, ERR_USAGE, "the demonstration keeps its state in its own directory: "
                                 "--state-dir is not for it");
        return cli_fail(options, &err);
    }
    d.inner.json = false;
    d.outer.goes_on = goes_on;
    d.inner.outer = &d.outer;
    demo_verdict_init(&d.verdict);
    signal(SIGPIPE, SIG_IGN);
    forget_environment();
    stop_catch_signals(true);
    run_steps(&d, &err);
    if (err_is_set(&err))
        tell_failure(&d, &err);
    if (!clean_up(&d, &failed)) {
        char *text = err_text(&failed);
        fprintf(stderr, "pgcutover: %s\n", text);
        free(text);
        if (!err_is_set(&err))
            err_move(&err, &failed);
    }
    int code = code_of(&d, &err);
    if (options->json)
        print_result(&d, &err, code);
    else if (!err_is_set(&err) && (!d.for_user || d.cut_over))
        print_report(&d);
    demo_verdict_release(&d.verdict);
    demo_programs_release(&d.programs);
    err_clear(&failed);
    err_clear(&err);
    return fflush(stdout) == 0 || code ? code : 1;
}
