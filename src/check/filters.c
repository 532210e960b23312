/* What the plan's mappings say of rows, columns and names: whether the servers will take it.
 *
 * A row filter is tried in a transaction that is rolled back: as part of a publication where changes are
 * streamed, which is what judges it later; else as the predicate of an index on a temporary twin of the
 * table, which takes what is immutable and nothing that looks elsewhere. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check/run.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define FILTERS_SINCE 150000
#define PROBE_NAME "pgcutover_probe"
#define PROBE_LOCK_TIMEOUT "SET LOCAL lock_timeout = '2s'"

static bool is_streamed(const struct check_run *run, const struct table_entry *entry)
{
    return run->context->plan->sync_mode != SYNC_LOAD_ONLY && entry->mode == TABLE_SYNC;
}

static void add_item(struct items *items, const struct table_entry *entry, const char *what)
{
    char *table = ident_display(entry->schema, entry->name);
    char *item = xasprintf("%s: %s", table, what);

    items_add(items, item, NULL, NULL);
    free(item);
    free(table);
}

static void add_text(struct items *items, const struct table_entry *entry, const char *fmt, ...)
    PGC_PRINTF(3, 4);
static void add_text(struct items *items, const struct table_entry *entry, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    add_item(items, entry, text);
    free(text);
}

/* --- row filters --- */

static bool publish(struct conn *c, const struct table_entry *entry, struct err *err)
{
    char *table = ident_qualified(entry->schema, entry->name);
    bool ok = conn_command(c, "CREATE PUBLICATION " PROBE_NAME, err) &&
              conn_commandf(c, err, "ALTER PUBLICATION " PROBE_NAME " ADD TABLE ONLY %s WHERE (\n%s\n)",
                            table, entry->where);

    free(table);
    return ok;
}

static bool index_twin(struct conn *c, const struct table_entry *entry, struct err *err)
{
    char *table = ident_qualified(entry->schema, entry->name);
    struct buf twin = BUF_INIT;

    /* The same name: the filter may use it. */
    ident_add_qualified(&twin, "pg_temp", entry->name);
    bool ok = conn_commandf(c, err, "CREATE TEMPORARY TABLE %s (LIKE %s)", twin.data, table) &&
              conn_commandf(c, err, "CREATE INDEX ON %s ((1)) WHERE (\n%s\n)", twin.data, entry->where);
    buf_release(&twin);
    free(table);
    return ok;
}

/* Columns of the filter outside of the replica identity; needs the publication. Owned, NULL: none. */
static bool outside_identity(struct conn *c, const struct table_entry *entry, char **columns,
                             struct err *err)
{
    char oid[16];
    const char *values[] = {oid, PROBE_NAME};

    *columns = NULL;
    snprintf(oid, sizeof oid, "%" PRIu32, entry->oid);
    return entry->needs_full || conn_scalar(c, sql_check_filter_columns, 2, values, columns, err);
}

/* The server's refusal is what was found, but a privilege that lacks has a check of its own. */
static bool refused(struct items *items, const struct table_entry *entry, struct err *refusal,
                    struct err *err)
{
    if (refusal->code != ERR_SERVER) {
        err_move(err, refusal);
        return false;
    }
    if (strcmp(refusal->sqlstate, "42501") != 0)
        add_text(items, entry, "%s (SQLSTATE %s%s%.*s)", refusal->message, refusal->sqlstate,
                 refusal->detail ? "; " : "",
                 refusal->detail ? (int)strcspn(refusal->detail, "\n") : 0,
                 refusal->detail ? refusal->detail : "");
    err_clear(refusal);
    return true;
}

static bool try_filter(struct check_run *run, struct items *items, const struct table_entry *entry,
                       struct err *err)
{
    struct conn *c = run->context->source;
    struct err refusal = ERR_INIT;
    char *columns = NULL;
    bool streamed = is_streamed(run, entry);

    if (streamed && c->version < FILTERS_SINCE) {
        add_text(items, entry, "a source before 15 cannot filter what it streams (it can with sync.mode "
                               "load-only, and for a table that is brought up to date at the cutover)");
        return true;
    }
    bool ok = conn_command(c, "BEGIN READ WRITE", &refusal) &&
              conn_command(c, PROBE_LOCK_TIMEOUT, &refusal) &&
              (streamed ? publish(c, entry, &refusal) && outside_identity(c, entry, &columns, &refusal)
                        : index_twin(c, entry, &refusal));
    conn_rollback(c);
    if (columns)
        add_text(items, entry, "the filter looks at %s, outside of the replica identity: the source would "
                               "refuse every UPDATE and DELETE", columns);
    free(columns);
    return ok || refused(items, entry, &refusal, err);
}

bool check_row_filters(struct check_run *run, const struct check *check, struct err *err)
{
    const struct table_list *tables = run->context->tables;
    struct items items = ITEMS_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < tables->count; i++)
        if (tables->items[i].where)
            ok = try_filter(run, &items, &tables->items[i], err);
    items_report(run, check, &items);
    return ok;
}

/* --- column lists --- */

static bool lacks_columns(struct conn *c, const char *sql, const struct table_entry *entry,
                          char **columns, struct err *err)
{
    char oid[16];
    const char *values[] = {oid, entry->columns};

    snprintf(oid, sizeof oid, "%" PRIu32, entry->oid);
    return conn_scalar(c, sql, 2, values, columns, err);
}

static bool look_at_list(struct check_run *run, struct items *items, const struct table_entry *entry,
                         struct err *err)
{
    struct conn *c = run->context->source;
    const struct catalog_table *table = catalog_table_by_oid(run->context->source_catalog, entry->oid);
    char *key = NULL;
    char *filled = NULL;

    if (!lacks_columns(c, sql_check_identity_columns, entry, &key, err) ||
        (run->context->plan->schema_mode == SCHEMA_COPY &&
         !lacks_columns(c, sql_check_left_out, entry, &filled, err))) {
        free(key);
        return false;
    }
    if (is_streamed(run, entry)) {
        if (c->version < FILTERS_SINCE)
            add_item(items, entry, "a source before 15 cannot leave columns out of what it streams");
        else if (entry->needs_full || (table && table->replica_identity == 'f'))
            add_item(items, entry, "with REPLICA IDENTITY FULL the source takes no column list");
        if (key)
            add_text(items, entry, "%s of the replica identity must be in it", key);
    }
    if (filled)
        add_text(items, entry, "%s must be filled: it is NOT NULL and has no default", filled);
    free(key);
    free(filled);
    return true;
}

bool check_column_lists(struct check_run *run, const struct check *check, struct err *err)
{
    const struct table_list *tables = run->context->tables;
    struct items items = ITEMS_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < tables->count; i++)
        if (tables->items[i].columns)
            ok = look_at_list(run, &items, &tables->items[i], err);
    items_report(run, check, &items);
    return ok;
}

/* --- names --- */

static bool is_relation(const struct catalog_relation *all, size_t count,
                        const struct table_entry *entry)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].schema, entry->final_schema) == 0 &&
            strcmp(all[i].name, entry->final_name) == 0)
            return true;
    return false;
}

static bool gets_another_name(const struct table_list *tables, uint32_t oid)
{
    for (size_t i = 0; i < tables->count; i++)
        if (tables->items[i].oid == oid)
            return tables->items[i].final_name != NULL;
    return false;
}

/* Views and indexes are not in the catalog here: the rehearsal before READY finds them. */
bool check_final_names(struct check_run *run, const struct check *check, struct err *err)
{
    const struct catalog *catalog = run->context->source_catalog;
    const struct table_list *tables = run->context->tables;
    struct items items = ITEMS_INIT;

    (void)err;
    for (size_t i = 0; i < tables->count; i++) {
        const struct table_entry *entry = &tables->items[i];
        if (!entry->final_name)
            continue;
        const struct catalog_table *other =
            catalog_table_by_name(catalog, entry->final_schema, entry->final_name);
        if ((other && !gets_another_name(tables, other->oid)) ||
            is_relation(catalog->sequences, catalog->sequence_count, entry) ||
            is_relation(catalog->matviews, catalog->matview_count, entry))
            items_add_relation(&items, entry->final_schema, entry->final_name);
    }
    items_report(run, check, &items);
    return true;
}
