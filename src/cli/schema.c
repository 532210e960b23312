/* schema --script PLAN: what the schema step is going to run on the target; schema --compare PLAN: how the schemas of both sides
 * differ. Both change nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/json.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "engine/compare.h"
#include "engine/decide.h"
#include "engine/preflight.h"
#include "schema/preview.h"
#include "schema/roles.h"
#include "schema/target.h"

struct job {
    const struct options *options;
    const struct plan *plan;
    char *work_dir;     /* owned; for pg_dump's files */
    struct buf out;
    cJSON *list;        /* differences, with --json */
    size_t differences; /* that no decision of the plan explains */
};

static bool add_roles(struct preflight *pre, const struct conninfo *source_info, const struct plan *plan,
                      struct buf *script, struct err *err)
{
    struct buf sql = BUF_INIT;
    struct schema_role *roles;
    struct schema_role_map map = role_map_of(plan, &roles);
    bool ok = !plan->schema_roles ||
              schema_roles_script(&pre->source, source_info, &pre->tools, &pre->target, &map, &sql, err);

    free(roles);

    if (ok && sql.len)
        buf_addf(script, "\n--\n-- Roles that the target lacks; here without their passwords\n--\n\n%s\n", sql.data);
    buf_release(&sql);
    return ok;
}

/* A line break in a name does not end its comment. */
static void add_title(struct buf *script, const struct plan_database *database, const struct schema_tools *tools)
{
    char *title = xasprintf("The schema of database \"%s\" as pgcutover makes it in \"%s\" on the target",
                            database->name, database->target_name);

    for (char *at = title; *at; at++)
        if (*at == '\n' || *at == '\r')
            *at = ' ';
    buf_addf(script, "--\n-- %s,\n-- by %s (version %d). To be run on an empty database.\n--\n", title, tools->pg_dump,
             tools->major);
    free(title);
}

static bool add_script(struct job *job, const struct plan_database *database, struct err *err)
{
    const struct plan *plan = job->plan;
    struct buf *script = &job->out;
    struct preflight pre = PREFLIGHT_INIT;
    struct conninfo info = CONNINFO_INIT;
    bool ok = preflight_open(&pre, plan, database, err) &&
              plan_conninfo(&plan->source, database->name, &info, err) &&
              schema_tools_find(&pre.tools, pre.source.version, pre.target.version, err);

    if (ok) {
        struct schema_role *roles;
        struct schema_role_map map = role_map_of(plan, &roles);
        struct schema_dump dump = {.source = &pre.source, .source_info = &info, .tools = &pre.tools,
                                   .work_dir = job->work_dir, .role_map = &map,
                                   .hold_keys = holds_keys(plan), .hold_triggers = holds_triggers(plan)};
        struct schema_edit *edits;
        struct schema_decisions decisions = decide_of(plan, database->name, &edits);
        add_title(script, database, &pre.tools);
        char *after_sql;
        ok = plan_after_schema_sql(plan, &after_sql, err);
        decisions.after_sql = after_sql;
        ok = ok && add_roles(&pre, &info, plan, script, err) && schema_preview(&dump, &decisions, script, err);
        free(after_sql);
        free(roles);
        free(edits);
    }
    conninfo_release(&info);
    preflight_release(&pre);
    return ok;
}

/* --- comparing --- */

/* Lines that both texts begin and end with are left out. */
static void add_text_difference(struct buf *out, const char *first, const char *second)
{
    const char *texts[2] = {first, second};
    size_t begin = 0, end = 0, len[2] = {strlen(first), strlen(second)};
    size_t least = len[0] < len[1] ? len[0] : len[1];

    for (size_t i = 0; i < least && first[i] == second[i]; i++)
        if (first[i] == '\n')
            begin = i + 1;
    for (size_t i = 1; i <= least - begin && first[len[0] - i] == second[len[1] - i]; i++)
        if (first[len[0] - i] == '\n')
            end = i - 1;
    for (int i = 0; i < 2; i++) {
        const char *line = texts[i] + begin, *stop = texts[i] + len[i] - end;
        for (size_t n; line < stop; line += n + (line[n] == '\n')) {
            n = strcspn(line, "\n");
            buf_addf(out, "      %c %.*s\n", i ? '+' : '-', (int)n, line);
        }
    }
}

static const char *const kind_words[] = {
    [DIFFERENCE_MISSING] = "missing", [DIFFERENCE_EXTRA] = "extra", [DIFFERENCE_TEXT] = "different"};

static void add_difference(struct job *job, const struct plan_database *database, const struct schema_difference *d,
                           const char *decision)
{
    static const char *const texts[] = {
        [DIFFERENCE_MISSING] = "missing on the target", [DIFFERENCE_EXTRA] = "only on the target", [DIFFERENCE_TEXT] = "different"};

    job->differences += !decision;
    if (job->list) {
        cJSON *item = cJSON_CreateObject();
        json_add_str(item, "databaseName", database->name);
        json_add_str(item, "object", d->object);
        json_add_str(item, "difference", kind_words[d->kind]);
        json_add_str(item, "source", d->first);
        json_add_str(item, "target", d->second);
        json_add_str(item, "decision", decision);
        cJSON_AddItemToArray(job->list, item);
        return;
    }
    buf_addf(&job->out, "  %s: %s%s\n", texts[d->kind], d->object,
             !decision ? "" : strcmp(decision, "edit") == 0 ? " (edited by the plan)"
                            : strcmp(decision, "map") == 0  ? " (for the plan's tableMappings)" : " (left out by the plan)");
    if (d->kind == DIFFERENCE_TEXT)
        add_text_difference(&job->out, d->first, d->second);
}

static void add_differences(struct job *job, const struct plan_database *database, const struct schema_comparison *comparison)
{
    const struct schema_differences *d = &comparison->differences;

    if (!job->list)
        buf_addf(&job->out, "database \"%s\" -> \"%s\": %zu objects are the same, %zu differ%s%s\n", database->name,
                 database->target_name, d->same, d->count, d->count == 1 ? "s" : "",
                 comparison->by_catalogs ? " (by the catalogs, which tell no owners, privileges and comments: no pg_dump here reads both)" : "");
    for (size_t i = 0; i < d->count; i++)
        add_difference(job, database, &d->items[i], compare_decision(comparison, job->plan, database->name, &d->items[i]));
}

/* Are the tables that the plan maps under their new names yet? While a migration runs they are not. */
static bool are_renamed(struct conn *target, bool *renamed, struct err *err)
{
    bool running = false;
    bool ok = schema_state_exists(target, &running, err);

    *renamed = !running;
    return ok;
}

static bool compare_database(struct job *job, const struct plan_database *database, struct preflight *pre, struct err *err)
{
    struct schema_comparison comparison = SCHEMA_COMPARISON_INIT;
    bool renamed;
    bool ok = are_renamed(&pre->target, &renamed, err) &&
              compare_schemas(job->plan, database, &pre->source, &pre->target, renamed, job->work_dir, &comparison, err);

    if (ok)
        add_differences(job, database, &comparison);
    schema_comparison_release(&comparison);
    return ok;
}

static bool add_comparison(struct job *job, const struct plan_database *database, struct err *err)
{
    struct preflight pre = PREFLIGHT_INIT;
    bool ok = preflight_open(&pre, job->plan, database, err);

    if (ok && !pre.target_exists) {
        err_set(err, ERR_PREREQUISITE, "%s: there is no database \"%s\" yet", pre.target.label, database->target_name);
        err_hint(err, "\"pgcutover schema --script\" shows what is going to be made in it.");
        ok = false;
    }
    ok = ok && compare_database(job, database, &pre, err);
    preflight_release(&pre);
    return ok;
}

/* --- the command --- */

/* As pg_dumpall writes it: the value of a connection string, within psql's double quotes. */
static void add_connect(struct buf *script, const char *database)
{
    buf_addstr(script, "\\connect -reuse-previous=on \"dbname='");
    for (const char *at = database; *at; at++) {
        if (*at == '\'' || *at == '\\')
            buf_addch(script, '\\');
        if (*at == '"')
            buf_addch(script, '"');
        buf_addch(script, *at);
    }
    buf_addstr(script, "'\"\n");
}

/* pg_dump's files: gone when it is over. */
static bool make_work_dir(struct job *job, struct err *err)
{
    const char *tmp = getenv("TMPDIR");

    job->work_dir = xasprintf("%s/pgcutover-schema-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (mkdtemp(job->work_dir))
        return true;
    err_errno(err, "could not make a directory \"%s\"", job->work_dir);
    str_replace(&job->work_dir, NULL);
    return false;
}

static bool each_database(struct job *job, struct err *err)
{
    const struct options *o = job->options;
    const struct plan *plan = job->plan;
    size_t found = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < plan->database_count; i++) {
        const struct plan_database *database = &plan->databases[i];
        if (o->database_name && strcmp(o->database_name, database->name) != 0)
            continue;
        if (found++)
            buf_addch(&job->out, '\n');
        if (o->script && !o->database_name && plan->database_count > 1)
            add_connect(&job->out, database->target_name);
        ok = o->script ? add_script(job, database, err) : add_comparison(job, database, err);
    }
    if (ok && !found) {
        err_set(err, ERR_USAGE, "the plan has no database \"%s\"", o->database_name);
        ok = false;
    }
    return ok;
}

static bool can_be_shown(const struct options *o, const struct plan *plan, struct err *err)
{
    if (!o->script || plan->schema_mode == SCHEMA_COPY)
        return true;
    err_set(err, ERR_USAGE, "%s: schema.mode is \"existing\": no schema is made on the target", o->args[0]);
    err_hint(err, "\"pgcutover schema --compare %s\" compares the schema that is there.", o->args[0]);
    return false;
}

static bool print(struct job *job, struct err *err)
{
    char *text = job->list ? json_pretty_sorted(job->list) : NULL;
    size_t len = text ? strlen(text) : job->out.len;
    bool ok = (!len || fwrite(text ? text : job->out.data, 1, len, stdout) == len) && (!text || puts("") >= 0) &&
              fflush(stdout) == 0;

    if (!ok)
        err_errno(err, "could not write to standard output");
    free(text);
    return ok;
}

static bool is_usage(const struct options *o, struct err *err)
{
    if (o->script != o->compare && !(o->script && o->json))
        return true;
    err_set(err, ERR_USAGE, o->script && o->json && !o->compare ? "a script is no JSON: schema --script goes without --json"
                                                                : "schema takes --script PLAN or --compare PLAN");
    return false;
}

int cmd_schema(const struct options *o)
{
    struct plan plan = {0};
    struct err err = ERR_INIT;
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;
    struct job job = {.options = o, .plan = &plan};

    if (!is_usage(o, &err) || !cli_read_plan(o, o->args[0], &plan, &err))
        return cli_fail(o, &err);
    job.list = o->json ? cJSON_CreateArray() : NULL;
    stop_catch_signals(true);
    bool ok = can_be_shown(o, &plan, &err) && cli_open_tunnels(o, &plan, &tunnels, &err) &&
              cli_greet_servers(o, &plan, &err) && make_work_dir(&job, &err) && each_database(&job, &err);
    /* Before it is printed: who reads may have seen enough, and end this program by that. */
    if (job.work_dir)
        dir_remove(job.work_dir, NULL);
    free(job.work_dir);
    ok = ok && print(&job, &err);
    cli_close_tunnels(&plan, &tunnels);
    cJSON_Delete(job.list);
    buf_release(&job.out);
    plan_release(&plan);
    return !ok ? cli_fail(o, &err) : job.differences ? 4 : 0;
}
