/* Schema changes in the stream. The source's event triggers write each into a table of their own
 * (sql/ddl_log_create.sql), which is published: so a change arrives as an INSERT, behind every row that was
 * written before it and before every row written after. Everything before is sent and answered first; then
 * the statements (ddl.c) are run in the same target transaction, and what was known about the target is
 * forgotten.
 *
 * What the target has by now is kept in pgcutover.definitions, in that transaction too: a change that is met
 * again after a crash finds itself done or not done, as the rows around it.
 *
 * Where the stream does not carry what a change did to a table's rows (DEFAULT random(), TYPE ... USING), or no
 * longer carries the table (its key is gone), the table is copied whole at the cutover. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/xalloc.h"
#include "cdc/apply_internal.h"
#include "cdc/ddl.h"
#include "pg/ident.h"
#include "pg/recording.h"
#include "sql/sql.h"

#define LOG_TABLE "ddl"

/* One change, as the log has it. */
struct entry {
    cJSON *json; /* owned */
    const char *tag;
    const char *query;
    bool plain;
};

/* What the target knows of one of the source's tables. */
struct known {
    uint32_t oid;
    char oid_text[16];
    cJSON *before; /* owned; NULL: nothing */
    cJSON *target; /* owned; NULL: it is not there */
    char *schema;  /* owned: the target's table */
    char *name;
    bool in_tables; /* pgcutover.tables has it; else a partitioned table, or a stranger */
    bool listed;    /* its columns, by the plan */
    bool sync;
    bool removed;     /* from the migration: nothing is done to its counterpart */
    bool passed_over; /* not its turn: it is detached or not loaded, or its snapshot has the change; or it is removed */
};

static void known_release(struct known *known)
{
    cJSON_Delete(known->before);
    cJSON_Delete(known->target);
    free(known->schema);
    free(known->name);
    *known = (struct known){0};
}

static PGresult *query(struct applier *applier, const char *sql, int count, const char *const *values,
                       struct err *err)
{
    return apply_pipe_query(&applier->lanes[0].pipe, sql, count, values, err);
}

static bool run(struct applier *applier, const char *sql, int count, const char *const *values,
                struct err *err)
{
    int64_t began_us = clock_mono_us();
    PGresult *res = query(applier, sql, count, values, err);

    if (res)
        recording_note(applier->lanes[0].conn, sql, count, values, began_us, res, NULL);
    PQclear(res);
    return res != NULL;
}

/* --- telling --- */

static void tell(struct applier *applier, const char *level, const char *fmt, ...) PGC_PRINTF(3, 4);
static void tell(struct applier *applier, const char *level, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    applier->options.ddl->tell(applier->options.ddl->arg, level, text);
    free(text);
}

/* --- errors --- */

/* Names the change, and what was to be done on the target. table may be NULL. */
static void blame(struct applier *applier, const struct entry *entry, const struct known *known,
                  const char *statement, struct err *err)
{
    char *table = known && known->name ? ident_display(known->schema, known->name) : NULL;
    char lsn[LSN_TEXT_SIZE];

    if (err->code == ERR_SERVER && !err->retryable)
        err->code = ERR_CONFLICT;
    applier->failed = known ? apply_tables_find(&applier->tables, known->oid) : NULL;
    snprintf(applier->failure_table, sizeof applier->failure_table, "%s", table ? table : entry->tag);
    *applier->failure_key = '\0';
    applier->status.failure = (struct applier_failure){
        .table = table ? applier->failure_table : NULL, .kind = entry->tag,
        .key = applier->failure_key, .commit_lsn = applier->commit_lsn, .xid = applier->xid};
    err_wrap(err, "could not follow %s of the source%s%s (source transaction %u, committed at %s)",
             entry->tag, table ? " on target table " : "", table ? table : "", applier->xid,
             lsn_format(applier->commit_lsn, lsn));
    if (!err->retryable && statement)
        err_hint(err, "Run this, or what leads to the same definition, on the target; then resume: %s;",
                 statement);
    free(table);
}

/* Both definitions, and what was not done. */
static void refuse(struct applier *applier, const struct entry *entry, const struct known *known,
                   const cJSON *after, const struct ddl_plan *plan, struct err *err)
{
    char *source = ddl_describe(after);
    char *target = ddl_describe(known->target);
    struct buf statements = BUF_INIT;

    for (size_t i = 0; i < plan->count; i++)
        buf_addf(&statements, "%s%s", i ? "; " : "", plan->statements[i]);
    err_set(err, ERR_CONFLICT, "%s", plan->reason);
    err_detail(err, "Source: %s. Target: %s. The source's statement: %s", source, target, entry->query);
    blame(applier, entry, known, statements.len ? statements.data : entry->query, err);
    buf_release(&statements);
    free(source);
    free(target);
}

/* --- statements --- */

/* Conversions depend on the session that made them. Gives what was set before. */
static PGresult *take_settings(struct applier *applier, const struct entry *entry, struct err *err)
{
    char *settings = json_line(json_get(entry->json, "settings"));
    const char *values[] = {settings ? settings : "{}"};
    PGresult *before =
        query(applier, "SELECT s.name, s.before FROM (SELECT key AS name, "
              "pg_catalog.current_setting(key) AS before, pg_catalog.set_config(key, value, true) "
              "FROM pg_catalog.json_each_text($1::pg_catalog.json) OFFSET 0) s", 1, values, err);

    free(settings);
    return before;
}

static bool put_settings_back(struct applier *applier, const PGresult *before, struct err *err)
{
    bool ok = true;

    for (int i = 0; ok && i < PQntuples(before); i++) {
        const char *values[] = {PQgetvalue(before, i, 0), PQgetvalue(before, i, 1)};
        ok = run(applier, "SELECT pg_catalog.set_config($1, $2, true)", 2, values, err);
    }
    return ok;
}

static bool run_statements(struct applier *applier, const struct entry *entry, const struct ddl_plan *plan,
                           size_t aside, const struct known *known, struct err *err)
{
    const struct applier_ddl *ddl = applier->options.ddl;

    for (size_t i = 0; i < plan->count; i++) {
        bool ok = i < aside ? ddl->aside(ddl->arg, plan->statements[i], err)
                            : run(applier, plan->statements[i], 0, NULL, err);
        if (!ok) {
            blame(applier, entry, known, plan->statements[i], err);
            return false;
        }
        tell(applier, "info", "followed on the target: %s", plan->statements[i]);
    }
    return true;
}

static bool run_plan(struct applier *applier, const struct entry *entry, const struct ddl_plan *plan,
                     const struct known *known, struct err *err)
{
    PGresult *before = NULL;
    bool ok = !plan->converts || (before = take_settings(applier, entry, err));

    ok = ok && run_statements(applier, entry, plan, 0, known, err) &&
         (!before || put_settings_back(applier, before, err));
    PQclear(before);
    return ok;
}

/* --- what is known --- */

static bool read_target(struct applier *applier, const char *target_oid, struct known *known,
                        struct err *err)
{
    char *oids = xasprintf("{%s}", target_oid);
    const char *values[] = {oids};
    PGresult *res = query(applier, sql_ddl_definition, 1, values, err);

    if (res && PQntuples(res) == 1)
        known->target = cJSON_Parse(PQgetvalue(res, 0, 0));
    PQclear(res);
    free(oids);
    return res != NULL;
}

static bool has_its_turn(const struct applier *applier, uint32_t oid)
{
    const struct apply_table *table = apply_tables_find(&applier->tables, oid);

    return table && apply_is_its_turn(applier, table);
}

static bool look_up(struct applier *applier, const char *oid, struct known *known, struct err *err)
{
    const char *values[] = {oid};
    PGresult *res = query(applier, sql_ddl_known, 1, values, err);
    lsn_t epoch = LSN_INVALID;
    bool ok = res != NULL;

    known->oid = (uint32_t)strtoul(oid, NULL, 10);
    snprintf(known->oid_text, sizeof known->oid_text, "%u", known->oid);
    if (ok && !PQgetisnull(res, 0, 0))
        known->before = cJSON_Parse(PQgetvalue(res, 0, 0));
    if (ok && !PQgetisnull(res, 0, 1)) {
        known->schema = xstrdup(PQgetvalue(res, 0, 1));
        known->name = xstrdup(PQgetvalue(res, 0, 2));
    }
    known->listed = ok && *PQgetvalue(res, 0, 6) == 't';
    if (ok && !PQgetisnull(res, 0, 3)) {
        known->in_tables = true;
        known->sync = strcmp(PQgetvalue(res, 0, 3), "sync") == 0;
        known->removed = strcmp(PQgetvalue(res, 0, 3), "removed") == 0;
        known->passed_over = !known->sync ? applier->catch_up.on || known->removed
                                          : PQgetisnull(res, 0, 4) || !lsn_parse(PQgetvalue(res, 0, 4), &epoch) ||
                                                applier->commit_lsn < epoch || !has_its_turn(applier, known->oid);
    }
    if (ok && !PQgetisnull(res, 0, 5))
        ok = read_target(applier, PQgetvalue(res, 0, 5), known, err);
    PQclear(res);
    return ok;
}

static bool keep_definition(struct applier *applier, const char *oid, const cJSON *definition,
                            struct err *err)
{
    char *text = json_line(definition);
    const char *values[] = {oid, text};
    bool ok = run(applier, sql_ddl_know, 2, values, err);

    free(text);
    return ok;
}

/* The stream's rows of this table count no more. */
static bool set_mode(struct applier *applier, const char *oid, const char *mode, struct err *err)
{
    const char *values[] = {oid, mode};

    applier->group.tables_changed = true;
    return run(applier, sql_ddl_set_mode, 2, values, err);
}

static bool empty_table(struct applier *applier, const char *schema, const char *name, struct err *err)
{
    const char *values[] = {schema, name};
    PGresult *res = query(applier, sql_ddl_is_referenced, 2, values, err);
    bool ok = res != NULL;
    struct buf sql = BUF_INIT;

    if (ok && PQntuples(res)) {
        buf_addstr(&sql, *PQgetvalue(res, 0, 0) == 't' ? "DELETE FROM ONLY " : "TRUNCATE ONLY ");
        ident_add_qualified(&sql, schema, name);
        ok = run(applier, sql.data, 0, NULL, err);
    }
    buf_release(&sql);
    PQclear(res);
    return ok;
}

/* --- one table --- */

static unsigned reasons_for(const struct entry *entry, uint32_t oid, bool any)
{
    const char *at = json_str(entry->json, "rewritten");
    unsigned reasons = 0;

    while (at && *at) {
        char *end;
        unsigned long relation = strtoul(at, &end, 10);
        unsigned long reason = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
        if (any || relation == oid)
            reasons |= (unsigned)reason;
        at = *end ? end + 1 : end;
    }
    return reasons;
}

static bool to_cutover(struct applier *applier, struct known *known, const char *why, struct err *err)
{
    char *table = ident_display(known->schema, known->name);
    bool ok = empty_table(applier, known->schema, known->name, err) &&
              set_mode(applier, known->oid_text, "at-cutover", err);

    if (ok)
        tell(applier, "warning", "table %s is copied whole at the cutover: %s", table, why);
    free(table);
    return ok;
}

/* A partitioned table has no rows: its partitions do, those that were written again. */
static bool partitions_to_cutover(struct applier *applier, const struct entry *entry, const char *why,
                                  struct err *err)
{
    const char *at = json_str(entry->json, "rewritten");
    bool ok = true;

    while (ok && at && *at) {
        struct known known = {0};
        char oid[16];
        snprintf(oid, sizeof oid, "%.*s", (int)strspn(at, "0123456789"), at);
        ok = look_up(applier, oid, &known, err) &&
             (!known.sync || known.passed_over || to_cutover(applier, &known, why, err));
        known_release(&known);
        at += strcspn(at, " ");
        at += strspn(at, " ");
    }
    return ok;
}

static bool move_table(struct applier *applier, const struct known *known, const cJSON *after,
                       const struct ddl_plan *plan, struct err *err)
{
    const char *schema = json_str(after, "schema");
    const char *name = json_str(after, "name");
    const char *values[] = {known->oid_text, schema, name, plan->schema, plan->name};

    if (!known->in_tables || (known->before && strcmp(json_str(known->before, "schema"), schema) == 0 &&
                              strcmp(json_str(known->before, "name"), name) == 0))
        return true;
    applier->group.tables_changed = true;
    return run(applier, sql_ddl_move_table, 5, values, err);
}

static bool rename_listed(struct applier *applier, const struct known *known, const cJSON *after,
                          struct err *err)
{
    char *texts[] = {json_line(known->before), json_line(after)};
    const char *values[] = {known->oid_text, texts[0], texts[1]};
    bool ok = !known->listed || !known->before || run(applier, sql_ddl_rename_columns, 3, values, err);

    applier->group.tables_changed = applier->group.tables_changed || known->listed;
    free(texts[0]);
    free(texts[1]);
    return ok;
}

static bool carry_out(struct applier *applier, const struct entry *entry, struct known *known,
                      const cJSON *after, const struct ddl_plan *plan, struct err *err)
{
    bool ok = true;

    if (plan->verdict == DDL_STOP) {
        refuse(applier, entry, known, after, plan, err);
        ok = false;
    } else if (plan->verdict == DDL_RELOAD && !known->in_tables) {
        ok = partitions_to_cutover(applier, entry, plan->reason, err);
    } else if (plan->verdict == DDL_RELOAD && known->sync) {
        ok = to_cutover(applier, known, plan->reason, err);
    }
    return ok && run_plan(applier, entry, plan, known, err) &&
           move_table(applier, known, after, plan, err) && rename_listed(applier, known, after, err) &&
           keep_definition(applier, known->oid_text, after, err);
}

/* It is not published any more: what is written from here on does not come. */
static bool leave_stream(struct applier *applier, struct known *known, const cJSON *item, struct err *err)
{
    if (!known->sync || json_bool(item, "published", true))
        return true;
    return to_cutover(applier, known, "it has no usable replica identity any more, and was taken out of the "
                                      "publication so that it can still be updated", err);
}

static bool change_table(struct applier *applier, const struct entry *entry, struct known *known,
                         const cJSON *item, struct err *err)
{
    const cJSON *after = json_get(item, "definition");
    struct ddl_plan plan = DDL_PLAN_INIT;
    bool partitioned = *json_str(after, "kind") == 'p';
    const struct ddl_case c = {
        .before = known->before,
        .after = after,
        .target = known->target,
        .missing = json_get(item, "missing"),
        .rewritten = reasons_for(entry, known->oid, partitioned),
        .plain = entry->plain,
        .without_rows = known->in_tables && !known->sync,
        .listed = known->listed,
        .target_schema = known->schema,
        .target_name = known->name,
        .target_version = applier->lanes[0].conn->version,
    };

    if (known->passed_over)
        return true;
    if (!known->target) {
        char *table = ident_display(known->schema, known->name);
        err_set(err, ERR_CONFLICT, "target table %s does not exist", table);
        blame(applier, entry, known, NULL, err);
        free(table);
        return false;
    }
    ddl_decide_table(&c, &plan);
    /* Without it a renamed column would look like a new one. */
    if (!known->before && plan.verdict != DDL_SAME && !c.without_rows) {
        plan.verdict = DDL_STOP;
        str_replace(&plan.reason, "its definition before the change is not known");
    }
    bool ok = carry_out(applier, entry, known, after, &plan, err) && leave_stream(applier, known, item, err);
    ddl_plan_release(&plan);
    return ok;
}

/* --- new tables --- */

static bool add_to_tables(struct applier *applier, const cJSON *definition, bool published, struct err *err)
{
    char lsn[LSN_TEXT_SIZE];
    const char *schema = json_str(definition, "schema");
    const char *name = json_str(definition, "name");
    const char *values[] = {json_str(definition, "oid"), schema, name,
                            published ? "sync" : "at-cutover", lsn_format(applier->commit_lsn, lsn)};
    char *table = ident_display(schema, name);

    applier->group.tables_changed = true;
    if (published)
        tell(applier, "info", "table %s is new and is followed", table);
    else
        tell(applier, "warning", "table %s is new and is copied whole at the cutover: it %s", table,
             json_bool(definition, "usable", false) ? "held rows before it could be published"
                                                    : "has no usable replica identity");
    free(table);
    return run(applier, sql_ddl_add_table, 5, values, err);
}

static bool create_table(struct applier *applier, const struct entry *entry, struct known *known,
                         const cJSON *item, struct err *err)
{
    const cJSON *definition = json_get(item, "definition");
    struct ddl_plan plan = DDL_PLAN_INIT;
    bool ok = true;

    if (!known->target) { /* else it is there already: somebody made it */
        ddl_create_table(definition, applier->lanes[0].conn->version, &plan);
        ok = run_plan(applier, entry, &plan, NULL, err);
    }
    if (ok && *json_str(definition, "kind") == 'r')
        ok = add_to_tables(applier, definition, json_bool(item, "published", false), err);
    ok = ok && keep_definition(applier, json_str(definition, "oid"), definition, err);
    ddl_plan_release(&plan);
    return ok;
}

static bool new_table(struct applier *applier, const struct entry *entry, struct known *known,
                      const cJSON *item, struct err *err)
{
    const cJSON *definition = json_get(item, "definition");

    if (!json_bool(item, "picked", false))
        return true;
    if (!applier->options.same_types) {
        char *table = ident_display(json_str(definition, "schema"), json_str(definition, "name"));
        tell(applier, "warning", "table %s is new on the source and is not followed: schema.mode is existing", table);
        free(table);
        return true;
    }
    return create_table(applier, entry, known, item, err);
}

static bool follow_table(struct applier *applier, const struct entry *entry, const cJSON *item,
                         struct err *err)
{
    const cJSON *definition = json_get(item, "definition");
    const char *oid = json_str(definition, "oid");
    struct known known = {0};

    if (!oid) {
        err_set(err, ERR_PROTOCOL, "the log of schema changes holds a table without OID");
        return false;
    }
    bool ok = look_up(applier, oid, &known, err);
    if (ok && known.in_tables)
        ok = change_table(applier, entry, &known, item, err);
    else if (ok && applier->catch_up.on)
        ok = true; /* the stream has done it */
    else if (ok && known.before)
        ok = change_table(applier, entry, &known, item, err);
    else if (ok)
        ok = new_table(applier, entry, &known, item, err);
    known_release(&known);
    return ok;
}

/* --- schemas --- */

static bool schema_exists(struct applier *applier, const char *schema, bool *exists, struct err *err)
{
    const char *values[] = {schema};
    PGresult *res = query(applier, "SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = $1", 1, values, err);

    *exists = res && PQntuples(res) > 0;
    PQclear(res);
    return res != NULL;
}

static bool move_tables_of(struct applier *applier, const char *from, const char *to, struct err *err)
{
    const char *values[] = {from, to};

    applier->group.tables_changed = true;
    return run(applier, "UPDATE pgcutover.tables SET target_schema = $2 WHERE target_schema = $1", 2, values,
               err) &&
           run(applier, "UPDATE pgcutover.identity SET table_schema = $2 WHERE table_schema = $1", 2, values,
               err);
}

static bool rename_schema(struct applier *applier, const struct entry *entry, const char *from,
                          const char *to, struct err *err)
{
    struct ddl_plan plan = DDL_PLAN_INIT;
    struct buf sql = BUF_INIT;
    char *statement;

    buf_addstr(&sql, "ALTER SCHEMA ");
    ident_add(&sql, from);
    buf_addstr(&sql, " RENAME TO ");
    ident_add(&sql, to);
    statement = buf_take(&sql);
    plan.statements = &statement;
    plan.count = 1;
    bool ok = run_statements(applier, entry, &plan, 0, NULL, err) && move_tables_of(applier, from, to, err);
    free(statement);
    return ok;
}

/* ALTER SCHEMA ... RENAME: the old name is what the first table of it had. Tables that are mapped elsewhere
 * stay where they are. */
static bool follow_schema(struct applier *applier, const struct entry *entry, struct err *err)
{
    const cJSON *definition = json_get(cJSON_GetArrayItem(json_get(entry->json, "tables"), 0), "definition");
    const char *to = json_str(definition, "schema");
    struct known known = {0};
    bool old_exists = false;
    bool new_exists = true;

    if (strcmp(entry->tag, "ALTER SCHEMA") != 0 || !to)
        return true;
    bool ok = look_up(applier, json_str(definition, "oid"), &known, err);
    const char *from = known.before ? json_str(known.before, "schema") : NULL;
    if (ok && from && strcmp(from, to) != 0 && strcmp(from, known.schema) == 0)
        ok = schema_exists(applier, from, &old_exists, err) && schema_exists(applier, to, &new_exists, err);
    if (ok && old_exists && !new_exists)
        ok = rename_schema(applier, entry, from, to, err);
    known_release(&known);
    return ok;
}

/* --- types, sequences, drops and the rest --- */

static bool follow_type(struct applier *applier, const struct entry *entry, const cJSON *type,
                        struct err *err)
{
    const char *names[] = {json_str(type, "schema"), json_str(type, "name")};
    PGresult *oid = query(applier, sql_ddl_type_oid, 2, names, err);
    PGresult *there = NULL;
    cJSON *target = NULL;
    struct ddl_plan plan = DDL_PLAN_INIT;
    size_t aside = 0;
    bool ok = oid != NULL;

    if (ok && PQntuples(oid)) {
        const char *values[] = {PQgetvalue(oid, 0, 0)};
        ok = (there = query(applier, sql_ddl_type, 1, values, err)) != NULL;
        target = ok && PQntuples(there) ? cJSON_Parse(PQgetvalue(there, 0, 0)) : NULL;
    }
    if (ok && (target || applier->options.same_types)) {
        ddl_decide_type(type, target, &aside, &plan);
        if (plan.verdict == DDL_STOP) {
            err_set(err, ERR_CONFLICT, "%s", plan.reason);
            blame(applier, entry, NULL, entry->query, err);
            ok = false;
        }
        ok = ok && run_statements(applier, entry, &plan, aside, NULL, err);
    }
    ddl_plan_release(&plan);
    cJSON_Delete(target);
    PQclear(there);
    PQclear(oid);
    return ok;
}

static bool follow_sequence(struct applier *applier, const struct entry *entry, const cJSON *sequence,
                            struct err *err)
{
    struct ddl_plan plan = DDL_PLAN_INIT;

    if (!applier->options.same_types)
        return true;
    ddl_create_sequence(sequence, &plan);
    bool ok = run_statements(applier, entry, &plan, 0, NULL, err);
    ddl_plan_release(&plan);
    return ok;
}

/* What nothing is done about here is said. */
static bool follow_other(struct applier *applier, const struct entry *entry, const cJSON *other,
                         struct err *err)
{
    const char *tag = json_str(other, "tag");
    const char *identity = json_str(other, "identity");
    char *sql;

    if (!tag || !identity || !applier->options.same_types)
        return true;
    if (strcmp(tag, "CREATE SCHEMA") == 0) {
        sql = xasprintf("CREATE SCHEMA IF NOT EXISTS %s", identity);
        bool ok = run(applier, sql, 0, NULL, err);
        if (!ok)
            blame(applier, entry, NULL, sql, err);
        free(sql);
        return ok;
    }
    if (strcmp(tag, "ALTER SCHEMA") != 0)
        tell(applier, "warning", "not followed: %s %s; run it on the target too: %s", tag, identity,
             entry->query);
    return true;
}

static bool skip_held_back(struct applier *applier, const char *table_oid, const cJSON *dropped,
                           struct err *err)
{
    const char *values[] = {table_oid, json_str(dropped, "schema"), json_str(dropped, "name")};

    return run(applier, sql_ddl_skip_objects, 3, values, err);
}

static bool drop_table(struct applier *applier, const struct entry *entry, const struct known *known,
                       struct err *err)
{
    struct ddl_plan plan = DDL_PLAN_INIT;
    struct buf sql = BUF_INIT;
    char *statement;

    if (!known->target)
        return true;
    buf_addstr(&sql, "DROP TABLE ");
    ident_add_qualified(&sql, known->schema, known->name);
    statement = buf_take(&sql);
    plan.statements = &statement;
    plan.count = 1;
    bool ok = run_statements(applier, entry, &plan, 0, known, err);
    free(statement);
    return ok;
}

/* The migration's tables only, and what goes by a name of its own. */
static bool follow_drop(struct applier *applier, const struct entry *entry, const cJSON *dropped,
                        struct err *err)
{
    const char *type = json_str(dropped, "type");
    const char *oid = json_str(dropped, "oid");
    struct ddl_plan plan = DDL_PLAN_INIT;
    struct known known = {0};
    bool ok;

    if (!type || !oid)
        return true;
    if (strcmp(type, "table") == 0) {
        ok = look_up(applier, oid, &known, err);
        if (ok && (known.before || known.in_tables) && !known.removed)
            ok = skip_held_back(applier, oid, dropped, err) &&
                 drop_table(applier, entry, &known, err) &&
                 set_mode(applier, oid, "dropped", err);
        known_release(&known);
        return ok;
    }
    if (!applier->options.same_types)
        return true;
    ddl_drop_object(dropped, &plan);
    ok = (plan.verdict == DDL_SAME && strcmp(type, "table constraint") != 0) ||
         skip_held_back(applier, NULL, dropped, err);
    ok = ok && run_statements(applier, entry, &plan, 0, NULL, err);
    ddl_plan_release(&plan);
    return ok;
}

/* --- an entry --- */

typedef bool follow_fn(struct applier *applier, const struct entry *entry, const cJSON *item,
                       struct err *err);

static bool follow_each(struct applier *applier, const struct entry *entry, const char *key,
                        follow_fn *follow, struct err *err)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(entry->json, key))
    {
        if (!follow(applier, entry, item, err))
            return false;
    }
    return true;
}

static int drop_order(const cJSON *dropped)
{
    const char *type = json_str(dropped, "type");

    return !type ? 0 : strstr(type, "view") ? 0 : strcmp(type, "table") == 0 ? 1 : 2;
}

/* What depends goes first: views, then tables, then what they used. */
static bool follow_drops(struct applier *applier, const struct entry *entry, struct err *err)
{
    const cJSON *dropped;

    for (int order = 0; order < 3; order++)
        cJSON_ArrayForEach(dropped, json_get(entry->json, "dropped"))
        {
            if (drop_order(dropped) == order && !follow_drop(applier, entry, dropped, err))
                return false;
        }
    return true;
}

static bool follow_entry(struct applier *applier, const struct entry *entry, struct err *err)
{
    /* A catch-up pass is for its tables alone: the stream has done all else. */
    if (applier->catch_up.on)
        return follow_each(applier, entry, "tables", follow_table, err);
    return follow_each(applier, entry, "others", follow_other, err) &&
           follow_each(applier, entry, "types", follow_type, err) &&
           follow_each(applier, entry, "sequences", follow_sequence, err) &&
           follow_schema(applier, entry, err) &&
           follow_each(applier, entry, "tables", follow_table, err) &&
           follow_drops(applier, entry, err);
}

/* Statements of any table may have been made for what is not so any more. */
static bool forget_targets(struct applier *applier, struct err *err)
{
    struct apply_table *table;
    struct apply_table *next;

    HASH_ITER(by_oid, applier->tables.by_oid, table, next)
        if (table->mapped && !apply_unmap(applier, table, true, err))
            return false;
    return !applier->group.tables_changed || apply_read_tables(applier, err);
}

/* Owners, wherever the entry names them, as the target calls them. */
static void map_owners(const struct applier *applier, cJSON *json)
{
    const struct applier_ddl *ddl = applier->options.ddl;
    cJSON *item;

    if (!ddl->role)
        return;
    cJSON_ArrayForEach(item, json)
    {
        if (item->string && strcmp(item->string, "owner") == 0 && cJSON_IsString(item))
            cJSON_SetValuestring(item, ddl->role(ddl->arg, item->valuestring));
        else
            map_owners(applier, item);
    }
}

static bool read_entry(const struct applier *applier, const struct change *change, struct entry *entry, struct err *err)
{
    const struct tuple *tuple = &change->new_tuple;

    if (tuple->count == 1 && tuple->values[0].kind == VALUE_TEXT)
        entry->json = cJSON_ParseWithLength(tuple->values[0].data, tuple->values[0].len);
    map_owners(applier, entry->json);
    entry->tag = json_str(entry->json, "tag");
    entry->query = json_str(entry->json, "query");
    if (!entry->tag || !entry->query) {
        err_set(err, ERR_PROTOCOL, "the log of schema changes holds what is none");
        return false;
    }
    entry->plain = ddl_is_plain_alter(entry->query);
    return true;
}

/* --- the outside --- */

void apply_note_ddl_log(struct applier *applier, const struct change *relation)
{
    const struct applier_ddl *ddl = applier->options.ddl;

    if (ddl && strcmp(relation->schema, ddl->log_schema) == 0 && strcmp(relation->name, LOG_TABLE) == 0)
        applier->ddl_relation = relation->relation;
}

bool apply_ddl(struct applier *applier, const struct change *change, struct err *err)
{
    struct entry entry = {0};
    bool ok = change->kind != CHANGE_INSERT || read_entry(applier, change, &entry, err);

    if (ok && entry.json)
        ok = apply_group_piece(applier, err) &&
             apply_pipe_drain(&applier->lanes[0].pipe, err) &&
             /* ALTER TABLE refuses a table whose deferred checks are still to come. */
             (applier->lanes[0].conn->replica_role ||
              run(applier, "SET CONSTRAINTS ALL IMMEDIATE", 0, NULL, err)) &&
             follow_entry(applier, &entry, err) && forget_targets(applier, err) &&
             (applier->lanes[0].conn->replica_role || run(applier, "SET CONSTRAINTS ALL DEFERRED", 0, NULL, err));
    cJSON_Delete(entry.json);
    return ok;
}
