/* admit and detach: what a change of the moved tables needs on the servers (change.h). Both do their task again
 * harmlessly: a table that is in the target's state is not admitted twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "check/check.h"
#include "engine/decide.h"
#include "engine/works.h"
#include "load/ddl_log.h"
#include "load/publication.h"
#include "pg/ident.h"
#include "schema/apply.h"
#include "schema/compare.h"
#include "schema/dump.h"
#include "schema/identity.h"
#include "sql/sql.h"

/* --- detach --- */

static bool is_new(const struct table *table)
{
    return table->is_new;
}

static void add_oid(struct buf *oids, const char *oid)
{
    buf_addf(oids, "%s%s", oids->len ? "," : "{", oid);
}

static char *new_oids(const struct pipeline *p)
{
    struct buf oids = BUF_INIT;

    for (const struct table *t = p->tables; t; t = t->hh.next)
        if (t->is_new)
            add_oid(&oids, t->oid);
    buf_addstr(&oids, oids.len ? "}" : "{}");
    return buf_take(&oids);
}

/* Some may have been removed from the migration before. */
static bool add_new_tables(struct work *work, struct conn *target, struct err *err)
{
    char *oids = new_oids(work->p);
    const char *values[] = {oids};
    bool ok = conn_command_params(target, sql_state_readmit, 1, values, err) && work_add_tables(work, target, is_new, err);

    free(oids);
    return ok;
}

static char *detached_oids(const struct pipeline *p)
{
    struct buf oids = BUF_INIT;
    const cJSON *item;

    cJSON_ArrayForEach(item, json_get(p->asked, "reload")) add_oid(&oids, item->valuestring);
    for (const struct table *t = p->tables; t; t = t->hh.next)
        if (t->is_new)
            add_oid(&oids, t->oid);
    buf_addstr(&oids, oids.len ? "}" : "{}");
    return buf_take(&oids);
}

bool work_detach(struct work *work, struct err *err)
{
    struct conn target = CONN_INIT;
    char *oids = detached_oids(work->p);
    const char *values[] = {oids};
    bool ok = work_connect(work, &target, SIDE_TARGET, CONN_PLAIN, err) &&
              conn_command(&target, "BEGIN", err) && add_new_tables(work, &target, err) &&
              conn_command_params(&target, sql_state_detach, 1, values, err) &&
              conn_command(&target, "COMMIT", err) && work_take_out(work, NULL, &target, true, err);

    conn_close(&target);
    free(oids);
    return ok;
}

/* --- admit --- */

struct admission {
    struct work *work;
    struct conn source, target;
    struct catalog source_catalog, target_catalog;
    struct table_list tables;
    bool unfinished; /* objects were stored that "finish" is to make */
};

/* As the plan's database, but with the names that were asked for as its whole selection. */
static bool pick(struct admission *a, struct err *err)
{
    const cJSON *names = json_get(a->work->p->asked, "add");
    struct plan_database database = *a->work->p->plan;
    size_t count = 0;
    const cJSON *item;
    bool ok;

    database.selected = xcalloc((size_t)cJSON_GetArraySize(names) + 1, sizeof *database.selected);
    cJSON_ArrayForEach(item, names) database.selected[count++] = item->valuestring;
    database.selected_count = count;
    database.excluded_count = 0;
    database.index = NULL;
    /* Mappings of other tables would count as mistakes. */
    struct plan_mapping *mappings = xcalloc(database.mapping_count + 1, sizeof *mappings);
    size_t mapped = 0;
    for (size_t i = 0; i < database.mapping_count; i++)
        if (plan_selects(&database, database.mappings[i].schema, database.mappings[i].name, NULL))
            mappings[mapped++] = database.mappings[i];
    database.mappings = mappings;
    database.mapping_count = mapped;
    ok = catalog_select(&a->source_catalog, &database, &a->tables, err);
    if (ok && a->work->m->plan.load_unlogged == UNLOGGED_EMPTY)
        table_list_drop_unlogged(&a->tables);
    if (ok && a->work->m->plan.schema_mode == SCHEMA_COPY)
        table_list_keep_names(&a->tables);
    ok = ok && catalog_resolve_columns(&a->source, &database, &a->tables, err);
    free(mappings);
    free(database.selected);
    return ok;
}

/* What is moved already is no news. */
static bool leave_known_out(struct admission *a, struct err *err)
{
    char oid[16];
    char *known = NULL;

    for (size_t i = 0; i < a->tables.count;) {
        snprintf(oid, sizeof oid, "%u", a->tables.items[i].oid);
        const struct table *table = pipeline_table(a->work->p, oid);
        if (table && !table->is_new) {
            free(known);
            known = ident_display(table->schema, table->name);
            table_list_drop(&a->tables, i);
        } else {
            i++;
        }
    }
    if (!a->tables.count && known)
        err_set(err, ERR_USAGE, "table %s is moved already", known);
    else if (!a->tables.count)
        err_set(err, ERR_USAGE, "no table that holds rows is among those named");
    free(known);
    return a->tables.count > 0;
}

/* The checks of single tables; the others were made when the migration began. */
static bool check_tables(struct admission *a, struct err *err)
{
    static const char *const ids[] = {"select-priv", "table-owner", "rls", "no-ri", "generated-key",
                                      "row-filter", "column-list"};
    struct findings findings = FINDINGS_INIT;
    struct findings ours = FINDINGS_INIT;
    struct conninfo info = CONNINFO_INIT;
    struct check_context context = {
        .source = &a->source, .source_info = &info, .plan = &a->work->m->plan,
        .database = a->work->p->plan, .source_catalog = &a->source_catalog, .tables = &a->tables};
    bool ok = work_conninfo(a->work, SIDE_SOURCE, &info, err) && checks_run(&context, &findings, err);

    for (size_t i = 0; ok && i < findings.count; i++)
        for (size_t k = 0; k < sizeof ids / sizeof *ids; k++)
            if (strcmp(findings.items[i].id, ids[k]) == 0 && findings.items[i].side == SIDE_SOURCE) {
                findings_add(&ours, findings.items[i]);
                findings.items[i] = (struct finding){.id = ""};
            }
    findings_waive(&ours, a->work->m->plan.waived, a->work->m->plan.waived_count);
    ok = ok && !findings_error(&ours, err);
    findings_release(&ours);
    findings_release(&findings);
    conninfo_release(&info);
    return ok;
}

static const struct catalog_table *on_target(const struct admission *a, const char *schema,
                                             const char *name)
{
    return catalog_table_by_name(&a->target_catalog, schema, name);
}

/* A table that is there must be empty, unless the plan says that it may be emptied. */
static bool target_is_empty(struct admission *a, const struct table_entry *entry, struct err *err)
{
    char *table = ident_qualified(entry->target_schema, entry->target_name);
    char *sql = xasprintf("SELECT EXISTS (SELECT FROM %s)", table);
    char *rows = NULL;
    bool ok = conn_scalar(&a->target, sql, 0, NULL, &rows, err);

    if (ok && *rows == 't' && a->work->m->plan.load_prepare != PREPARE_TRUNCATE) {
        err_set(err, ERR_CONFLICT, "table %s holds rows on the target", table);
        err_hint(err, "TRUNCATE %s there, and add it again.", table);
        ok = false;
    }
    free(rows);
    free(sql);
    free(table);
    return ok;
}

static bool was_stored(struct admission *a, const struct table_entry *entry, bool *stored,
                       struct err *err)
{
    char oid[16];
    const char *values[] = {oid};
    char *found = NULL;

    snprintf(oid, sizeof oid, "%u", entry->oid);
    bool ok = conn_scalar(&a->target, "SELECT EXISTS (SELECT FROM pgcutover.objects WHERE object_oid = $1::oid "
                                      "AND object_type = 'TABLE')", 1, values, &found, err);
    *stored = found && *found == 't';
    free(found);
    return ok;
}

struct missing {
    char **names; /* quoted, ended by NULL */
    size_t count, cap;
};

static void add_missing(struct admission *a, struct missing *missing, const struct catalog_table *table)
{
    if (!table || on_target(a, table->schema, table->name))
        return;
    char *name = ident_qualified(table->schema, table->name);
    for (size_t i = 0; i < missing->count; i++)
        if (strcmp(missing->names[i], name) == 0) {
            free(name);
            return;
        }
    missing->names = xgrow(missing->names, missing->count + 1, &missing->cap, sizeof *missing->names);
    missing->names[missing->count++] = name;
    missing->names[missing->count] = NULL;
    add_missing(a, missing, catalog_table_by_oid(&a->source_catalog, table->parent_oid));
}

static bool make_schemas(struct admission *a, struct err *err)
{
    bool ok = true;

    for (size_t i = 0; ok && i < a->tables.count; i++) {
        struct buf sql = BUF_INIT;
        buf_addstr(&sql, "CREATE SCHEMA IF NOT EXISTS ");
        ident_add(&sql, a->tables.items[i].target_schema);
        ok = conn_command(&a->target, sql.data, err);
        buf_release(&sql);
    }
    return ok;
}

static bool store_definitions(struct admission *a, const struct missing *missing, struct err *err)
{
    struct schema_tools tools = SCHEMA_TOOLS_INIT;
    struct conninfo info = CONNINFO_INIT;
    struct schema_role *roles;
    struct schema_role_map map = role_map_of(&a->work->m->plan, &roles);
    struct schema_dump dump = {.source = &a->source, .source_info = &info, .tools = &tools, .role_map = &map,
                               .target = &a->target, .work_dir = a->work->p->dir,
                               .hold_keys = holds_keys(&a->work->m->plan), .hold_triggers = holds_triggers(&a->work->m->plan),
                               .tables = (const char *const *)missing->names};
    bool ok = schema_tools_find(&tools, a->source.version, a->target.version, err) &&
              work_conninfo(a->work, SIDE_SOURCE, &info, err) && schema_dump_store(&dump, NULL, err);

    free(roles);
    conninfo_release(&info);
    schema_tools_release(&tools);
    return ok;
}

/* Tables that came since the schema was copied are made like all others: what pg_dump says of them is stored,
 * the tables are made now, the rest by the index jobs and by "finish". */
static bool make_tables(struct admission *a, struct err *err)
{
    struct missing missing = {0};
    bool ok = true;

    for (size_t i = 0; ok && i < a->tables.count; i++) {
        const struct table_entry *entry = &a->tables.items[i];
        bool stored = false;
        if (on_target(a, entry->target_schema, entry->target_name)) {
            ok = target_is_empty(a, entry, err);
            continue;
        }
        a->unfinished = true;
        ok = was_stored(a, entry, &stored, err);
        if (ok && !stored)
            add_missing(a, &missing, catalog_table_by_oid(&a->source_catalog, entry->oid));
    }
    if (ok && a->unfinished)
        ok = make_schemas(a, err) && (!missing.count || store_definitions(a, &missing, err)) &&
             schema_apply_phase(&a->target, "pre", NULL, err) && schema_identity_relax(&a->target, err);
    for (size_t i = 0; i < missing.count; i++)
        free(missing.names[i]);
    free(missing.names);
    return ok;
}

static bool look_at_tables(struct admission *a, struct err *err)
{
    struct schema_table_pair *pairs = xcalloc(a->tables.count + 1, sizeof *pairs);
    char (*oids)[16] = xcalloc(a->tables.count + 1, sizeof *oids);
    bool ok = true;

    for (size_t i = 0; ok && i < a->tables.count; i++) {
        const struct table_entry *entry = &a->tables.items[i];
        snprintf(oids[i], sizeof oids[i], "%u", entry->oid);
        pairs[i] = (struct schema_table_pair){oids[i], entry->target_schema, entry->target_name,
                                              entry->columns};
        if (on_target(a, entry->target_schema, entry->target_name))
            ok = target_is_empty(a, entry, err);
    }
    ok = ok && schema_compare_tables(&a->source, &a->target, pairs, a->tables.count, err);
    free(oids);
    free(pairs);
    return ok;
}

static bool publish(struct admission *a, struct err *err)
{
    struct table_name *names = xcalloc(a->tables.count + 1, sizeof *names);
    struct publication_part *parts = xcalloc(a->tables.count + 1, sizeof *parts);
    struct publication_tables tables = {.tables = names, .parts = parts};
    bool ok = true;
    int seq;

    for (size_t i = 0; ok && i < a->tables.count; i++) {
        const struct table_entry *entry = &a->tables.items[i];
        char *previous = NULL;
        ok = ddl_log_leave_out(&a->source, a->work->p->slot, entry->schema, entry->name, false, err);
        if (!ok || entry->mode != TABLE_SYNC)
            continue;
        parts[tables.count] = (struct publication_part){entry->where, entry->columns};
        names[tables.count++] = (struct table_name){entry->schema, entry->name};
        if (entry->needs_full)
            ok = replident_get(&a->source, entry->schema, entry->name, &previous, err) &&
                 work_made(a->work, SIDE_SOURCE, "replica-identity", entry->schema, entry->name,
                           previous, &seq, err) &&
                 replident_set_full(&a->source, entry->schema, entry->name, NULL, err);
        free(previous);
    }
    ok = ok && (!tables.count || publication_create(&a->source, a->work->p->slot, &tables, err));
    free(names);
    free(parts);
    return ok;
}

/* Before 10 the receiver picks the tables out of the stream itself: what it did not know would be gone. */
static bool may_add(const struct admission *a, struct err *err)
{
    if (a->source.version >= 100000)
        return true;
    err_set(err, ERR_PREREQUISITE, "%s: tables cannot be added to a running migration from a server before 10",
            a->source.label);
    err_hint(err, "Migrate them in a migration of their own, or cancel this one and start it anew with them.");
    return false;
}

static void send_added(const struct admission *a)
{
    cJSON *message = json_message("tables_added");
    cJSON *items = cJSON_AddArrayToObject(message, "tables");

    for (size_t i = 0; i < a->tables.count; i++)
        cJSON_AddItemToArray(items, work_entry_json(&a->tables.items[i]));
    json_add_bool(message, "unfinished", a->unfinished);
    work_send(a->work, message);
}

bool work_admit(struct work *work, struct err *err)
{
    struct admission a = {.work = work};
    bool copy = work->m->plan.schema_mode == SCHEMA_COPY;
    bool ok = work_connect(work, &a.source, SIDE_SOURCE, CONN_PLAIN, err) && may_add(&a, err) &&
              work_connect(work, &a.target, SIDE_TARGET, CONN_PLAIN, err) &&
              work_lock_schema(&a.target, "0", err) && catalog_load(&a.source, &a.source_catalog, err) &&
              catalog_load(&a.target, &a.target_catalog, err) && pick(&a, err) &&
              leave_known_out(&a, err) && check_tables(&a, err) &&
              (copy ? make_tables(&a, err) : look_at_tables(&a, err)) && publish(&a, err);

    if (ok)
        send_added(&a);
    table_list_release(&a.tables);
    catalog_release(&a.source_catalog);
    catalog_release(&a.target_catalog);
    conn_close(&a.source);
    conn_close(&a.target);
    return ok;
}
