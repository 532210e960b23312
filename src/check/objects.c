/* Checks on what the catalogs hold: no round trips, but for the rows of the target. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "check/run.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define TABLES_A_QUERY 200

/* For what is found wherever the check applies. */
bool check_always(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;

    (void)err;
    items_add(&items, "", NULL, NULL);
    items_report(run, check, &items);
    return true;
}

bool check_standby(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;

    (void)err;
    if (run->context->source_catalog->server.in_recovery)
        items_add(&items, "pg_is_in_recovery() is true", NULL, NULL);
    items_report(run, check, &items);
    return true;
}

/* What the plan's keylessTables settles: said, not refused. */
bool check_keyless_settled(struct check_run *run, const struct check *check, struct err *err)
{
    const struct table_list *tables = run->context->tables;
    struct items full = ITEMS_INIT;
    struct items copied = ITEMS_INIT;
    struct check told = *check;

    (void)err;
    for (size_t i = 0; i < tables->count; i++) {
        const struct table_entry *entry = &tables->items[i];
        if (entry->needs_full)
            items_add_relation(&full, entry->schema, entry->name);
        else if (entry->keyless && !entry->unlogged && entry->mode == TABLE_AT_CUTOVER)
            items_add_relation(&copied, entry->schema, entry->name);
    }
    told.found = "tables without a usable key get REPLICA IDENTITY FULL on the source for the time of "
                 "the migration: {items}";
    items_report(run, &told, &full);
    told.found = "tables without a usable key are compared, and what differs copied, inside the freeze, which takes that much "
                 "longer: {items}";
    items_report(run, &told, &copied);
    return true;
}

static size_t table_number(const struct catalog *catalog, const struct catalog_table *table)
{
    return (size_t)(table - catalog->tables);
}

/* Each partition tree once, however many of its partitions are picked. */
bool check_partitioned(struct check_run *run, const struct check *check, struct err *err)
{
    const struct catalog *catalog = run->context->source_catalog;
    const struct table_list *tables = run->context->tables;
    size_t *picked = xcalloc(catalog->table_count, sizeof *picked); /* partitions below each root */
    struct items items = ITEMS_INIT;

    (void)err;
    for (size_t i = 0; i < tables->count; i++) {
        const struct catalog_table *at = catalog_table_by_oid(catalog, tables->items[i].oid);
        const struct catalog_table *up = at;
        while (up && up->parent_oid && (up = catalog_table_by_oid(catalog, up->parent_oid)) != NULL)
            at = up;
        if (at && at->kind == KIND_PARTITIONED)
            picked[table_number(catalog, at)]++;
    }
    for (size_t i = 0; i < catalog->table_count; i++) {
        if (!picked[i])
            continue;
        char *shown = ident_display(catalog->tables[i].schema, catalog->tables[i].name);
        char *item = xasprintf("%s (%zu)", shown, picked[i]);
        items_add(&items, item, NULL, NULL);
        free(item);
        free(shown);
    }
    items_report(run, check, &items);
    free(picked);
    return true;
}

bool check_foreign_tables(struct check_run *run, const struct check *check, struct err *err)
{
    const struct table_list *tables = run->context->tables;
    struct items items = ITEMS_INIT;

    (void)err;
    for (size_t i = 0; i < tables->skip_count; i++)
        if (tables->skipped[i].reason == SKIP_FOREIGN)
            items_add_relation(&items, tables->skipped[i].schema, tables->skipped[i].name);
    items_report(run, check, &items);
    return true;
}

#define DIGEST_BYTES_PER_SECOND (100 << 20) /* a rough figure: one session that reads and digests */

bool check_large_objects(struct check_run *run, const struct check *check, struct err *err)
{
    int64_t count = run->context->source_catalog->server.large_objects;
    struct items items = ITEMS_INIT;
    char *bytes = NULL;
    char size[32], time[32];

    if (count == 0)
        return true;
    if (!conn_scalar(run->context->source, "SELECT pg_catalog.pg_relation_size('pg_catalog.pg_largeobject')",
                     0, NULL, &bytes, err))
        return false;
    units_bytes(bytes ? atoll(bytes) : 0, size, sizeof size);
    units_duration((bytes ? atoll(bytes) : 0) * 1000000 / DIGEST_BYTES_PER_SECOND + count * 20, time,
                   sizeof time);
    char *item = xasprintf("%" PRId64 " large objects, %s: comparing them takes about %s at the cutover, and "
                           "again where it verifies", count, size, time);
    items_add(&items, item, NULL, NULL);
    items_report(run, check, &items);
    free(item);
    free(bytes);
    return true;
}

/* Those of the target would be overwritten or removed. */
bool check_target_large_objects(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;
    int64_t there = run->context->target_catalog->server.large_objects;
    bool copy = run->context->plan->schema_mode == SCHEMA_COPY;

    (void)err;
    if (there && (copy || run->context->source_catalog->server.large_objects)) {
        char *item = xasprintf("%" PRId64, there);
        items_add(&items, item, NULL, NULL);
        free(item);
    }
    items_report(run, check, &items);
    return true;
}

/* Marks what is there on the target after the load: the picked tables, and every partitioned table
 * with nothing below it that is not picked. */
static bool *covered_tables(const struct check_context *context)
{
    const struct catalog *catalog = context->source_catalog;
    bool *covered = xcalloc(catalog->table_count, sizeof *covered);

    for (size_t i = 0; i < catalog->table_count; i++)
        covered[i] = catalog->tables[i].kind == KIND_PARTITIONED;
    for (size_t i = 0; i < context->tables->count; i++) {
        const struct catalog_table *table =
            catalog_table_by_oid(catalog, context->tables->items[i].oid);
        if (table)
            covered[table_number(catalog, table)] = true;
    }
    for (size_t i = 0; i < catalog->table_count; i++) {
        const struct catalog_table *up = &catalog->tables[i];
        if (covered[i])
            continue;
        while (up->parent_oid && (up = catalog_table_by_oid(catalog, up->parent_oid)) != NULL)
            covered[table_number(catalog, up)] = false;
    }
    return covered;
}

static bool is_covered(const struct catalog *catalog, const bool *covered, uint32_t oid)
{
    const struct catalog_table *table = catalog_table_by_oid(catalog, oid);

    return table && covered[table_number(catalog, table)];
}

static void add_foreign_key(struct items *items, const struct catalog *catalog,
                            const struct catalog_foreign_key *key)
{
    const struct catalog_table *from = catalog_table_by_oid(catalog, key->table_oid);
    const struct catalog_table *to = catalog_table_by_oid(catalog, key->referenced_oid);
    char *from_name = ident_display(from->schema, from->name);
    char *to_name = to ? ident_display(to->schema, to->name) : xstrdup("a table not seen");
    char *item = xasprintf("\"%s\" of %s refers to %s", key->name, from_name, to_name);
    char *fix = to ? xasprintf("Add \"%s\" to selectedTables.", to_name) : NULL;

    items_add(items, item, fix, NULL);
    free(from_name);
    free(to_name);
    free(item);
    free(fix);
}

bool check_fk_outside(struct check_run *run, const struct check *check, struct err *err)
{
    const struct catalog *catalog = run->context->source_catalog;
    bool *covered = covered_tables(run->context);
    struct items items = ITEMS_INIT;

    (void)err;
    for (size_t i = 0; i < catalog->foreign_key_count; i++) {
        const struct catalog_foreign_key *key = &catalog->foreign_keys[i];
        if (is_covered(catalog, covered, key->table_oid) &&
            !is_covered(catalog, covered, key->referenced_oid))
            add_foreign_key(&items, catalog, key);
    }
    items_report(run, check, &items);
    free(covered);
    return true;
}

static void add_relations(struct items *items, const struct catalog_relation *all, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!all[i].extension)
            items_add_relation(items, all[i].schema, all[i].name);
}

bool check_matviews(struct check_run *run, const struct check *check, struct err *err)
{
    struct items items = ITEMS_INIT;

    (void)err;
    add_relations(&items, run->context->source_catalog->matviews,
                  run->context->source_catalog->matview_count);
    items_report(run, check, &items);
    return true;
}

bool check_event_triggers(struct check_run *run, const struct check *check, struct err *err)
{
    const struct catalog *catalog = check->side == SIDE_SOURCE ? run->context->source_catalog
                                                               : run->context->target_catalog;
    struct items items = ITEMS_INIT;

    (void)err;
    for (size_t i = 0; i < catalog->event_trigger_count; i++) {
        char *item = xasprintf("\"%s\" on %s", catalog->event_triggers[i].name,
                               catalog->event_triggers[i].detail);
        items_add(&items, item, NULL, NULL);
        free(item);
    }
    items_report(run, check, &items);
    return true;
}

bool check_encoding(struct check_run *run, const struct check *check, struct err *err)
{
    const struct catalog_server *source = &run->context->source_catalog->server;
    const struct catalog_server *target = &run->context->target_catalog->server;
    struct items items = ITEMS_INIT;

    (void)err;
    if (strcmp(source->encoding, target->encoding) != 0) {
        struct buf fix = BUF_INIT;
        char *item = xasprintf("%s on the source, %s on the target", source->encoding,
                               target->encoding);
        buf_addstr(&fix, "CREATE DATABASE ");
        ident_add(&fix, target->database);
        buf_addf(&fix, " ENCODING '%s' TEMPLATE template0; -- after the one that exists is dropped",
                 source->encoding);
        items_add(&items, item, fix.data, NULL);
        buf_release(&fix);
        free(item);
    }
    items_report(run, check, &items);
    return true;
}

/* Schema mode copy makes the objects itself: none may be there. */
bool check_target_objects(struct check_run *run, const struct check *check, struct err *err)
{
    const struct catalog *target = run->context->target_catalog;
    struct items items = ITEMS_INIT;

    (void)err;
    for (size_t i = 0; i < target->table_count; i++)
        if (!target->tables[i].extension)
            items_add_relation(&items, target->tables[i].schema, target->tables[i].name);
    add_relations(&items, target->matviews, target->matview_count);
    add_relations(&items, target->sequences, target->sequence_count);
    items_report(run, check, &items);
    return true;
}

static const struct catalog_table *target_of(const struct check_run *run,
                                             const struct table_entry *entry)
{
    return catalog_table_by_name(run->context->target_catalog, entry->target_schema,
                                 entry->target_name);
}

bool check_target_missing(struct check_run *run, const struct check *check, struct err *err)
{
    const struct table_list *tables = run->context->tables;
    struct items items = ITEMS_INIT;

    (void)err;
    for (size_t i = 0; i < tables->count; i++)
        if (!target_of(run, &tables->items[i]))
            items_add_relation(&items, tables->items[i].target_schema,
                               tables->items[i].target_name);
    items_report(run, check, &items);
    return true;
}

/* "SELECT 'name', 'fix' WHERE EXISTS (one row)". A partitioned table has its rows below itself. */
static void add_row_probe(struct buf *sql, const struct catalog_table *table)
{
    char *shown = ident_display(table->schema, table->name);
    char *name = ident_qualified(table->schema, table->name);
    char *fix = xasprintf("TRUNCATE %s;", name);

    buf_addstr(sql, sql->len ? " UNION ALL SELECT " : "SELECT ");
    literal_add(sql, shown);
    buf_addstr(sql, "::text, ");
    literal_add(sql, fix);
    buf_addf(sql, "::text WHERE EXISTS (SELECT FROM %s%s)",
             table->kind == KIND_PARTITIONED ? "" : "ONLY ", name);
    free(shown);
    free(name);
    free(fix);
}

bool check_target_rows(struct check_run *run, const struct check *check, struct err *err)
{
    const struct table_list *tables = run->context->tables;
    struct items items = ITEMS_INIT;
    struct buf sql = BUF_INIT;
    size_t waiting = 0;
    bool ok = true;

    for (size_t i = 0; ok && i < tables->count; i++) {
        const struct catalog_table *table = target_of(run, &tables->items[i]);
        if (table && table->kind != KIND_FOREIGN) {
            add_row_probe(&sql, table);
            waiting++;
        }
        if (waiting && (waiting == TABLES_A_QUERY || i + 1 == tables->count)) {
            ok = items_add_rows(&items, run->context->target, sql.data, NULL, err);
            buf_clear(&sql);
            waiting = 0;
        }
    }
    items_report(run, check, &items);
    buf_release(&sql);
    return ok;
}
