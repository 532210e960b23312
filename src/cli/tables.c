/* tables PLAN: the tables of the plan's sources, and which of them the plan picks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/stop.h"
#include "base/units.h"
#include "catalog/select.h"
#include "cli/cli.h"
#include "pg/ident.h"

struct look {
    struct catalog catalog;
    struct table_list picked;
};

static bool read_source(struct look *look, const struct plan *plan, const struct plan_database *database, struct err *err)
{
    struct conn_options options = {.side = SIDE_SOURCE, .profile = CONN_PLAIN, .role = "tables"};
    struct conninfo info = CONNINFO_INIT;
    struct conn conn = CONN_INIT;
    bool ok = plan_conninfo(&plan->source, database->name, &info, err) && conn_open(&conn, &info, &options, err) &&
              catalog_load(&conn, &look->catalog, err) &&
              catalog_select(&look->catalog, database, &look->picked, err);

    conn_close(&conn);
    conninfo_release(&info);
    return ok;
}

/* How the source says which row an UPDATE or DELETE means. */
static const char *key_of(const struct catalog_table *table)
{
    if (table->replica_identity == 'f')
        return "full";
    if (!table->has_identity)
        return "none";
    return table->replica_identity == 'i' ? "index" : "primary";
}

static int by_oid(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static uint32_t *picked_oids(const struct table_list *picked)
{
    uint32_t *oids = xcalloc(picked->count + 1, sizeof *oids);

    for (size_t i = 0; i < picked->count; i++)
        oids[i] = picked->items[i].oid;
    qsort(oids, picked->count, sizeof *oids, by_oid);
    return oids;
}

static cJSON *table_json(const char *database, const struct catalog_table *table, bool picked)
{
    cJSON *item = cJSON_CreateObject();

    json_add_str(item, "databaseName", database);
    char *name = ident_display(table->schema, table->name);
    json_add_str(item, "name", name);
    free(name);
    json_add_str(item, "schema", table->schema);
    json_add_str(item, "table", table->name);
    json_add_num(item, "estimatedRows", (double)(table->rows > 0 ? table->rows : 0));
    json_add_num(item, "bytes", (double)table->bytes);
    json_add_str(item, "key", key_of(table));
    json_add_bool(item, "unlogged", table->persistence == 'u');
    json_add_bool(item, "partition", table->is_partition);
    json_add_bool(item, "readable", table->can_select);
    json_add_bool(item, "picked", picked);
    return item;
}

static void tell(const struct catalog_table *table, bool picked)
{
    char *name = ident_display(table->schema, table->name);
    char bytes[32];

    units_bytes(table->bytes, bytes, sizeof bytes);
    printf("%s %-48s %12lld rows %10s  key: %s%s\n", picked ? "[x]" : "[ ]", name, (long long)(table->rows > 0 ? table->rows : 0), bytes,
           key_of(table), table->persistence == 'u' ? ", unlogged" : "");
    free(name);
}

static bool list_database(const struct options *o, const struct plan *plan, const struct plan_database *database,
                          cJSON *all, struct err *err)
{
    struct look look = {.picked = TABLE_LIST_INIT};
    bool ok = read_source(&look, plan, database, err);
    uint32_t *oids = picked_oids(&look.picked);

    if (ok && !o->json)
        printf("database \"%s\", %zu tables picked\n", database->name, look.picked.count);
    for (size_t i = 0; ok && i < look.catalog.table_count; i++) {
        const struct catalog_table *table = &look.catalog.tables[i];
        if (table->kind != KIND_TABLE || table->extension)
            continue;
        bool picked = bsearch(&table->oid, oids, look.picked.count, sizeof *oids, by_oid) != NULL;
        if (o->json)
            cJSON_AddItemToArray(all, table_json(database->name, table, picked));
        else
            tell(table, picked);
    }
    free(oids);
    table_list_release(&look.picked);
    catalog_release(&look.catalog);
    return ok;
}

int cmd_tables(const struct options *o)
{
    struct plan plan;
    struct err err = ERR_INIT;
    struct cli_tunnels tunnels = CLI_TUNNELS_INIT;
    cJSON *all = cJSON_CreateArray();
    bool ok = cli_read_plan(o, o->args[0], &plan, &err);

    stop_catch_signals(true);
    ok = ok && cli_open_tunnel(o, &plan, &tunnels, SIDE_SOURCE, &err);
    for (size_t i = 0; ok && i < plan.database_count; i++)
        ok = list_database(o, &plan, &plan.databases[i], all, &err);
    if (ok && o->json) {
        char *text = json_line(all);
        puts(text);
        free(text);
    }
    cJSON_Delete(all);
    cli_close_tunnels(&plan, &tunnels);
    plan_release(&plan);
    return ok ? 0 : cli_fail(o, &err);
}
