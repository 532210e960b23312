/* schema --script PLAN: what the schema step is going to run on the target. Changes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "base/stop.h"
#include "cli/cli.h"
#include "engine/decide.h"
#include "engine/preflight.h"
#include "schema/preview.h"
#include "schema/roles.h"

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

static bool add_database(const struct plan *plan, const struct plan_database *database, const char *work_dir,
                         struct buf *script, struct err *err)
{
    struct preflight pre = PREFLIGHT_INIT;
    struct conninfo info = CONNINFO_INIT;
    bool ok = preflight_open(&pre, plan, database, err) &&
              plan_conninfo(&plan->source, database->name, &info, err) &&
              schema_tools_find(&pre.tools, pre.source.version, pre.target.version, err);

    if (ok) {
        struct schema_role *roles;
        struct schema_role_map map = role_map_of(plan, &roles);
        struct schema_dump dump = {.source = &pre.source, .source_info = &info, .tools = &pre.tools,
                                   .work_dir = work_dir, .role_map = &map};
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
static bool in_work_dir(const struct options *o, const struct plan *plan, struct buf *script, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    char *dir = xasprintf("%s/pgcutover-schema-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    size_t found = 0;
    bool ok = mkdtemp(dir) != NULL;

    if (!ok)
        err_errno(err, "could not make a directory \"%s\"", dir);
    for (size_t i = 0; ok && i < plan->database_count; i++) {
        const struct plan_database *database = &plan->databases[i];
        if (o->database_name && strcmp(o->database_name, database->name) != 0)
            continue;
        if (found++)
            buf_addch(script, '\n');
        if (!o->database_name && plan->database_count > 1)
            add_connect(script, database->target_name);
        ok = add_database(plan, database, dir, script, err);
    }
    if (ok && !found) {
        err_set(err, ERR_USAGE, "the plan has no database \"%s\"", o->database_name);
        ok = false;
    }
    rmdir(dir);
    free(dir);
    return ok;
}

static bool can_be_shown(const struct options *o, const struct plan *plan, struct err *err)
{
    if (plan->schema_mode == SCHEMA_COPY)
        return true;
    err_set(err, ERR_USAGE, "%s: schema.mode is \"existing\": no schema is made on the target", o->args[0]);
    err_hint(err, "\"pgcutover check %s\" compares the tables that are there.", o->args[0]);
    return false;
}

int cmd_schema(const struct options *o)
{
    struct plan plan = {0};
    struct err err = ERR_INIT;
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;
    struct buf script = BUF_INIT;

    if (!o->script) {
        err_set(&err, ERR_USAGE, "schema takes --script PLAN");
        return cli_fail(o, &err);
    }
    if (!cli_read_plan(o, o->args[0], &plan, &err))
        return cli_fail(o, &err);
    stop_catch_signals(true);
    bool ok = can_be_shown(o, &plan, &err) && cli_open_tunnels(o, &plan, &tunnels, &err) &&
              cli_greet_servers(o, &plan, &err) && in_work_dir(o, &plan, &script, &err);
    if (ok && script.len && (fwrite(script.data, 1, script.len, stdout) != script.len || fflush(stdout))) {
        err_errno(&err, "could not write the script");
        ok = false;
    }
    cli_close_tunnels(&plan, &tunnels);
    buf_release(&script);
    plan_release(&plan);
    return ok ? 0 : cli_fail(o, &err);
}
