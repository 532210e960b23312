/* check, schema, finish: what comes before the stream, and what makes the schema whole. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "base/record.h"
#include "engine/decide.h"
#include "engine/preflight.h"
#include "engine/works.h"
#include "load/lobs.h"
#include "schema/apply.h"
#include "schema/dump.h"
#include "schema/identity.h"
#include "schema/rename.h"
#include "schema/roles.h"
#include "schema/target.h"
#include "sql/sql.h"

#define TABLES_A_MESSAGE 500

/* --- check --- */

static void on_phase(void *arg, const char *text)
{
    work_phase(arg, text, 0, 0);
}

cJSON *work_entry_json(const struct table_entry *entry)
{
    cJSON *item = cJSON_CreateObject();
    char oid[16];

    snprintf(oid, sizeof oid, "%u", entry->oid);
    json_add_str(item, "oid", oid);
    json_add_str(item, "schema", entry->schema);
    json_add_str(item, "name", entry->name);
    json_add_str(item, "targetSchema", entry->target_schema);
    json_add_str(item, "targetName", entry->target_name);
    json_add_str(item, "finalSchema", entry->final_schema);
    json_add_str(item, "finalName", entry->final_name);
    json_add_str(item, "where", entry->where);
    json_add_str(item, "columns", entry->columns);
    json_add_bool(item, "atCutover", entry->mode == TABLE_AT_CUTOVER);
    json_add_bool(item, "needsFull", entry->needs_full);
    json_add_i64(item, "estRows", entry->rows);
    json_add_i64(item, "estBytes", entry->bytes);
    return item;
}

static void send_entries(struct work *work, const struct table_list *list)
{
    size_t i = 0;

    do {
        cJSON *message = json_message("tables");
        cJSON *items = cJSON_AddArrayToObject(message, "tables");
        json_add_bool(message, "first", i == 0);
        for (int n = 0; n < TABLES_A_MESSAGE && i < list->count; n++, i++)
            cJSON_AddItemToArray(items, work_entry_json(&list->items[i]));
        json_add_bool(message, "last", i >= list->count);
        work_send(work, message);
    } while (i < list->count);
}

static void send_servers(struct work *work, struct preflight *pre)
{
    struct conn *conns[] = {&pre->source, &pre->target};
    static const char *const keys[2][2] = {{"sourceServer", "sourceVersion"},
                                           {"targetServer", "targetVersion"}};
    cJSON *message = json_message("servers");

    for (int i = 0; i < 2; i++) {
        char *name = work_server_name(conns[i]);
        char *version = work_server_version(conns[i]);
        json_add_str(message, keys[i][0], name);
        json_add_str(message, keys[i][1], version);
        free(name);
        free(version);
    }
    work_send(work, message);
}

static void record_findings(const struct work *work, const struct findings *findings)
{
    cJSON *line = cJSON_CreateObject();

    json_add_str(line, "database", work->p->name);
    cJSON_AddItemToObject(line, "findings", findings_to_json(findings));
    record_add("checks", line);
}

static void tell_findings(struct work *work, const struct findings *findings)
{
    record_findings(work, findings);
    for (size_t i = 0; i < findings->count; i++) {
        const struct finding *f = &findings->items[i];
        if (f->severity == FINDING_WARN)
            work_event(work, "warning", "%s: %s: %s", f->id, side_name(f->side), f->message);
        else if (f->severity == FINDING_INFO)
            work_event(work, "info", "%s: %s: %s", f->id, side_name(f->side), f->message);
    }
}

static void on_command(void *arg, const char *host, const char *command)
{
    work_event(arg, "info", "on %s: %s", host, command);
}

bool work_check(struct work *work, struct err *err)
{
    struct preflight pre = PREFLIGHT_INIT;

    work_tell_fixes(work);
    pre.show = on_command;
    pre.show_arg = work;
    bool ok = preflight_run(&pre, &work->m->plan, work->p->plan, on_phase, work, err);

    if (ok) {
        send_servers(work, &pre);
        tell_findings(work, &pre.findings);
        ok = !findings_error(&pre.findings, err);
    }
    if (ok)
        send_entries(work, &pre.tables);
    preflight_release(&pre);
    return ok;
}

/* --- schema --- */

static void report(void *arg, int done, int total, const char *object)
{
    struct work *work = arg;
    static int64_t last; /* of this process: one worker, one phase at a time */
    char *text;

    if (done == last && done != total)
        return;
    last = done;
    if (done % 100 && done != total && total > 200)
        return;
    text = xasprintf("schema: %s", object ? object : "");
    work_phase(work, text, done, total);
    free(text);
}

/* A worker that was killed leaves its last statement to a server process, which may make the database
 * after all, between our look and our act. */
static bool create_database(struct work *work, struct conn *source, const struct conninfo *info,
                            struct err *err)
{
    struct err own = ERR_INIT;
    bool exists = false;
    bool ok = schema_target_database_create(source, info, work->p->target_name, &own);

    if (!ok && (strcmp(own.sqlstate, "42P04") == 0 || strcmp(own.sqlstate, "23505") == 0))
        ok = schema_target_database_exists(info, work->p->target_name, &exists, NULL) && exists;
    if (!ok)
        err_move(err, &own);
    err_clear(&own);
    return ok;
}

static bool make_database(struct work *work, struct conn *source, struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    bool exists = false;
    int seq;
    bool ok = work_conninfo(work, SIDE_TARGET, &info, err) &&
              schema_target_database_exists(&info, work->p->target_name, &exists, err);

    if (ok && !exists)
        ok = work_made(work, SIDE_TARGET, "database", NULL, work->p->target_name, NULL, &seq, err) &&
             create_database(work, source, &info, err);
    conninfo_release(&info);
    return ok;
}

bool work_add_tables(struct work *work, struct conn *target,
                     bool (*wanted)(const struct table *table), struct err *err)
{
    const struct pipeline *p = work->p;
    bool ok = true;

    for (size_t i = 0; ok && i < p->table_count;) {
        cJSON *list = cJSON_CreateArray();
        for (int n = 0; n < TABLES_A_MESSAGE && i < p->table_count; n++, i++) {
            const struct table *t = p->by_size[i];
            if (wanted && !wanted(t))
                continue;
            struct table_entry entry = {
                .oid = (uint32_t)strtoul(t->oid, NULL, 10), .schema = t->schema, .name = t->name,
                .target_schema = t->target_schema, .target_name = t->target_name,
                .final_schema = t->final_schema, .final_name = t->final_name,
                .where = t->where, .columns = t->columns, .bytes = t->est_bytes, .rows = t->est_rows,
                .mode = t->at_cutover ? TABLE_AT_CUTOVER : TABLE_SYNC, .needs_full = t->needs_full};
            cJSON_AddItemToArray(list, work_entry_json(&entry));
        }
        char *text = json_line(list);
        const char *values[] = {text};
        ok = conn_command_params(target, sql_state_add_tables, 1, values, err);
        free(text);
        cJSON_Delete(list);
    }
    return ok;
}

/* On 9.5 only a WAL sender tells it. */
static bool source_system(struct work *work, struct conn *source, char **system, struct err *err)
{
    struct conn repl = CONN_INIT;

    if (source->version >= 90600)
        return conn_scalar(source, "SELECT system_identifier FROM pg_catalog.pg_control_system()", 0,
                           NULL, system, err);
    if (!work_connect(work, &repl, SIDE_SOURCE, CONN_REPLICATION, err))
        return false;
    PGresult *res = conn_exec(&repl, "IDENTIFY_SYSTEM", err);
    if (res)
        *system = xstrdup(PQgetvalue(res, 0, 0));
    PQclear(res);
    conn_close(&repl);
    return res != NULL;
}

/* Names the migration and its tables in the state schema, all or nothing. */
static bool fill_state(struct work *work, struct conn *source, struct conn *target,
                       struct err *err)
{
    char *system = NULL;
    bool ok = source_system(work, source, &system, err);
    const char *values[] = {work->m->id, work->m->name, system, work->p->name, work->p->slot};

    ok = ok && conn_command(target, "BEGIN", err) &&
         conn_command_params(target, sql_state_add_migration, 5, values, err) &&
         work_add_tables(work, target, NULL, err) && conn_command(target, "COMMIT", err);
    if (!ok)
        conn_rollback(target);
    free(system);
    return ok;
}

static bool make_state(struct work *work, struct conn *source, struct conn *target, struct err *err)
{
    const char *values[] = {work->m->id};
    char *ours = NULL;
    bool exists = false;
    int seq;

    if (!schema_state_exists(target, &exists, err) ||
        (exists && !conn_scalar(target, sql_state_exists, 1, values, &ours, err)))
        return false;
    bool filled = ours && *ours == 't';
    free(ours);
    if (filled)
        return true;
    return work_made(work, SIDE_TARGET, "state-schema", NULL, "pgcutover", NULL, &seq, err) &&
           (exists || schema_state_create(target, err)) && fill_state(work, source, target, err);
}

static bool copy_schema(struct work *work, struct conn *source, struct conn *target,
                        struct err *err)
{
    struct schema_tools tools = SCHEMA_TOOLS_INIT;
    struct schema_progress progress = {.report = report, .arg = work};
    struct conninfo info = CONNINFO_INIT;
    struct buf made = BUF_INIT;
    struct schema_role *roles;
    struct schema_role_map map = role_map_of(&work->m->plan, &roles);
    bool ok = schema_tools_find(&tools, source->version, target->version, err) &&
              work_conninfo(work, SIDE_SOURCE, &info, err);

    if (ok && work->m->plan.schema_roles) {
        ok = schema_roles_copy(source, &info, &tools, target, &map, &made, err);
        if (made.len)
            work_event(work, "info", "roles made on the target: %s", made.data);
    }
    work_phase(work, "schema: pg_dump", 0, 0);
    struct schema_dump dump = {.source = source, .source_info = &info, .tools = &tools,
                               .target = target, .work_dir = work->p->dir, .role_map = &map,
                               .hold_keys = holds_keys(&work->m->plan), .hold_triggers = holds_triggers(&work->m->plan)};
    ok = ok && schema_dump_store(&dump, NULL, err) && work_store_after_sql(work, target, err) &&
         work_decide(work, target, true, err) && schema_apply_phase(target, "pre", &progress, err);
    buf_release(&made);
    free(roles);
    conninfo_release(&info);
    schema_tools_release(&tools);
    return ok;
}

bool work_schema(struct work *work, struct err *err)
{
    struct conn source = CONN_INIT;
    struct conn target = CONN_INIT;
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err) &&
              make_database(work, &source, err) &&
              work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err) &&
              work_lock_schema(&target, "0", err) && make_state(work, &source, &target, err);

    if (ok && work->m->plan.schema_mode == SCHEMA_COPY)
        ok = copy_schema(work, &source, &target, err);
    else
        ok = ok && work_store_after_sql(work, &target, err) && work_decide(work, &target, true, err);
    ok = ok && schema_apply_phase(&target, "after", NULL, err) && work_take_out(work, &source, &target, false, err);
    work_tell_statements(work, &target);
    ok = ok && schema_identity_relax(&target, err);
    conn_close(&source);
    conn_close(&target);
    return ok;
}

/* --- finish --- */

static bool finish_schema(struct work *work, struct err *err)
{
    struct conn source = CONN_INIT;
    struct conn target = CONN_INIT;
    struct schema_progress progress = {.report = report, .arg = work};
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_PLAIN, err) &&
              work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err) &&
              work_lock_schema(&target, "0", err) && work_decide(work, &target, true, err) &&
              schema_apply_phase(&target, "index", &progress, err) &&
              work_foreign_keys(work, &source, &target, "foreign-key", &progress, err) &&
              schema_apply_phase(&target, "post", &progress, err) &&
              schema_rename_rehearse(&target, err);

    work_tell_statements(work, &target);
    conn_close(&source);
    conn_close(&target);
    return ok;
}

static void report_lobs(void *arg, const struct lobs_result *lobs)
{
    work_phase(arg, "large objects", lobs->count, 0);
}

/* They are brought up to date inside the freeze: what has not changed by then is only compared. */
static bool load_large_objects(struct work *work, struct err *err)
{
    struct conn source = CONN_INIT;
    struct conn target = CONN_INIT;
    struct lobs_progress progress = {report_lobs, work};
    struct lobs_result lobs;
    bool ok = work_connect(work, &source, SIDE_SOURCE, CONN_READER, err) &&
              work_connect(work, &target, SIDE_TARGET, CONN_WRITER, err) &&
              work_lock_schema(&target, "0", err) &&
              lobs_copy(&source, &target, work_owns_target(work), &progress, &lobs, err);

    if (ok && lobs.count)
        work_event(work, "info", "%lld large objects, %lld copied", (long long)lobs.count,
                   (long long)lobs.copied);
    conn_close(&source);
    conn_close(&target);
    return ok;
}

bool work_finish(struct work *work, struct err *err)
{
    return (work->m->plan.schema_mode != SCHEMA_COPY || finish_schema(work, err)) &&
           load_large_objects(work, err);
}
