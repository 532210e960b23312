#include "engine/dryrun.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "engine/preflight.h"
#include "pg/ident.h"

static void describe_tables(const struct preflight *pre, struct buf *out)
{
    char bytes[32];
    size_t late = 0;

    for (size_t i = 0; i < pre->tables.count; i++)
        late += pre->tables.items[i].mode == TABLE_AT_CUTOVER;
    units_bytes(pre->tables.bytes, bytes, sizeof bytes);
    buf_addf(out, "  tables: %zu, %s", pre->tables.count, bytes);
    buf_addf(out, late ? ", %zu of them brought up to date at the cutover\n" : "\n", late);
    for (size_t i = 0; i < pre->tables.count && i < 20; i++) {
        const struct table_entry *t = &pre->tables.items[i];
        char *name = ident_display(t->schema, t->name);
        units_bytes(t->bytes, bytes, sizeof bytes);
        buf_addf(out, "    %s, %s%s\n", name, bytes,
                 t->mode == TABLE_AT_CUTOVER ? ", brought up to date at the cutover" : "");
        free(name);
    }
    if (pre->tables.count > 20)
        buf_addf(out, "    ... and %zu more\n", pre->tables.count - 20);
}

static void describe_source(const struct plan *plan, const struct preflight *pre,
                            const struct plan_database *database, struct buf *out)
{
    if (plan->sync_mode == SYNC_LOAD_ONLY) {
        buf_addstr(out, "  on the source: nothing; one snapshot is held until everything is copied\n");
        return;
    }
    buf_addstr(out, "  on the source, all removed at the end:\n"
                    "    a publication and a logical replication slot (pgcutover_...)\n");
    if (plan->sync_ddl == SYNC_DDL_APPLY)
        buf_addstr(out, "    where the role may: a schema with the log of schema changes, and three event "
                        "triggers that fill it (pgcutover_...)\n");
    for (size_t i = 0; i < pre->tables.count; i++) {
        const struct table_entry *t = &pre->tables.items[i];
        if (!t->needs_full)
            continue;
        char *name = ident_display(t->schema, t->name);
        buf_addf(out, "    ALTER TABLE %s REPLICA IDENTITY FULL\n", name);
        free(name);
    }
    if (plan->stop_writes == STOP_READ_ONLY)
        buf_addf(out, "  on the source, at the cutover:\n"
                      "    ALTER DATABASE \"%s\" SET default_transaction_read_only = on; other sessions are "
                      "ended\n", database->name);
    else if (plan->stop_writes == STOP_LOCK)
        buf_addstr(out, "  on the source, at the cutover:\n"
                        "    LOCK TABLE ... IN EXCLUSIVE MODE of all tables, until the target is open; sessions that wait to write "
                        "then are ended\n");
}

static void describe_target(const struct plan *plan, const struct preflight *pre,
                            const struct plan_database *database, struct buf *out)
{
    buf_addstr(out, "  on the target:\n");
    if (!pre->target_exists)
        buf_addf(out, "    CREATE DATABASE \"%s\"\n", database->target_name);
    buf_addstr(out, "    schema pgcutover (state, removed at the end)\n");
    if (plan->schema_mode == SCHEMA_COPY)
        buf_addf(out, "    the source's schema, by %s (version %d)\n", pre->tools.pg_dump,
                 pre->tools.major);
    else if (plan->sync_mode == SYNC_SYNC_ONLY)
        buf_addstr(out, "    the rows that are there are taken for those of the source, and only changes are applied\n");
    else
        buf_addf(out, "    the tables that are there are %s and loaded\n",
                 plan->load_prepare == PREPARE_TRUNCATE ? "truncated" : "expected to be empty");
    if (plan->schema_mode == SCHEMA_EXISTING)
        buf_addf(out, "    %s are disabled until it is opened\n%s%s",
                 plan->schema_triggers == TRIGGERS_DISABLE ? "triggers and rules" : "triggers and rules that would act on applied changes",
                 plan->schema_foreign_keys == FOREIGN_KEYS_DISABLE
                     ? "    foreign keys from and to them are dropped, and added again when it is opened\n" : "",
                 plan->schema_indexes == INDEXES_REBUILD
                     ? "    indexes that nothing needs meanwhile are dropped, and built again after each table's load\n" : "");
    if (plan->schema_enums == ENUMS_TEXT)
        buf_addstr(out, "    columns of enums and domains are text until the cutover, where nothing but keys and indexes depends on them\n");
    for (size_t i = 0; i < plan->schema_role_count; i++)
        buf_addf(out, "    role \"%s\" stands for \"%s\"\n", plan->schema_role_map[i].to, plan->schema_role_map[i].from);
    if (plan->after_schema_sql)
        buf_addstr(out, "    then what schema.afterSchemaSql says\n");
    if (plan->sync_mode != SYNC_SYNC_ONLY)
        buf_addf(out, "    %d tables at a time are loaded, then indexes, foreign keys and triggers are made\n",
                 plan->load_jobs);
    if (plan->schema_mode == SCHEMA_COPY && plan->schema_foreign_keys == FOREIGN_KEYS_DISABLE)
        buf_addstr(out, "    but foreign keys are added when it is opened\n");
    if (plan->schema_mode == SCHEMA_COPY && plan->schema_triggers == TRIGGERS_DISABLE)
        buf_addstr(out, "    but triggers, and rules on tables, are made when it is opened\n");
}

static void describe_host(const struct plan *plan, struct buf *out)
{
    if (plan->bouncer_uri)
        buf_addf(out, "  in PgBouncer, at the cutover:\n    PAUSE, %s, RESUME\n",
                 plan->bouncer_config ? "its configuration changed and RELOAD" : "what a hook does");
    if (plan->bouncer_config)
        buf_addf(out, "    the entry in \"%s\" leads to the target\n", plan->bouncer_config);
    if (plan->cutover_at)
        buf_addf(out, "  the cutover begins by itself at %s\n", plan->cutover_at);
    if (plan->hook_before || plan->hook_after)
        buf_addstr(out, "  on this host, at the cutover:\n");
    if (plan->hook_before)
        buf_addf(out, "    before writes are stopped: %s\n", plan->hook_before);
    if (plan->hook_after)
        buf_addf(out, "    when the target is open: %s\n", plan->hook_after);
}

static bool describe_database(const struct plan *plan, const struct plan_database *database,
                              struct buf *out, struct err *err)
{
    struct preflight pre = PREFLIGHT_INIT;
    bool ok = preflight_run(&pre, plan, database, NULL, NULL, err);

    if (ok) {
        buf_addf(out, "database \"%s\" -> \"%s\"\n", database->name, database->target_name);
        describe_tables(&pre, out);
        describe_source(plan, &pre, database, out);
        describe_target(plan, &pre, database, out);
        describe_host(plan, out);
        char *text = findings_text(&pre.findings);
        buf_addstr(out, text);
        free(text);
        ok = !findings_error(&pre.findings, err);
    }
    preflight_release(&pre);
    return ok;
}

bool dry_run_describe(const struct plan *plan, const char *until, struct buf *out,
                      struct err *err)
{
    bool ok = true;

    buf_addf(out, "migration \"%s\", as far as: %s (nothing is done now)\n", plan->name, until);
    for (size_t i = 0; i < plan->database_count && (ok || err->code == ERR_PREREQUISITE); i++)
        ok = describe_database(plan, &plan->databases[i], out, err) && ok;
    return ok && !err_is_set(err);
}
