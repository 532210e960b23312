#include "cdc/target.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"

static bool is_true(const PGresult *res, int row, int field)
{
    return PQgetvalue(res, row, field)[0] == 't';
}

static uint32_t number(const PGresult *res, int row, int field)
{
    return (uint32_t)strtoul(PQgetvalue(res, row, field), NULL, 10);
}

int target_table_column(const struct target_table *table, const char *name)
{
    for (size_t i = 0; i < table->column_count; i++)
        if (strcmp(table->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

bool target_table_read(struct target_table *table, const char *schema, const char *name,
                       const PGresult *columns)
{
    target_table_release(table);
    if (PQntuples(columns) == 0)
        return false;
    table->schema = xstrdup(schema);
    table->name = xstrdup(name);
    table->oid = number(columns, 0, 0);
    table->relkind = PQgetvalue(columns, 0, 1)[0];
    if (!PQgetisnull(columns, 0, 2))
        table->obstacles = xstrdup(PQgetvalue(columns, 0, 2));
    table->acts = is_true(columns, 0, 13);
    table->unique_count = (int)number(columns, 0, 14);
    for (int row = 0; row < PQntuples(columns); row++) {
        if (PQgetisnull(columns, row, 3))
            continue;
        table->columns = xgrow(table->columns, table->column_count, &table->column_cap,
                               sizeof *table->columns);
        table->columns[table->column_count++] = (struct target_column){
            .name = xstrdup(PQgetvalue(columns, row, 3)),
            .type_oid = number(columns, row, 4),
            .typmod = (int32_t)strtol(PQgetvalue(columns, row, 5), NULL, 10),
            .type_name = xstrdup(PQgetvalue(columns, row, 6)),
            .not_null = is_true(columns, row, 7),
            .generated = is_true(columns, row, 8),
            .identity = is_true(columns, row, 9),
            .array_oid = number(columns, row, 10),
            .array_delimiter = PQgetvalue(columns, row, 11)[0],
            .cast_name = xstrdup(PQgetvalue(columns, row, 12)),
        };
    }
    return true;
}

static struct target_key *key_named(struct target_table *table, const char *index_name)
{
    if (table->key_count && strcmp(table->keys[table->key_count - 1].index_name, index_name) == 0)
        return &table->keys[table->key_count - 1];
    table->keys = xgrow(table->keys, table->key_count, &table->key_cap, sizeof *table->keys);
    table->keys[table->key_count] = (struct target_key){.index_name = xstrdup(index_name)};
    return &table->keys[table->key_count++];
}

void target_table_read_keys(struct target_table *table, const PGresult *keys)
{
    for (int row = 0; row < PQntuples(keys); row++) {
        struct target_key *key = key_named(table, PQgetvalue(keys, row, 0));
        int column = target_table_column(table, PQgetvalue(keys, row, 2));
        if (column < 0)
            continue;
        key->primary = is_true(keys, row, 1);
        key->columns = xgrow(key->columns, key->count, &key->cap, sizeof *key->columns);
        key->columns[key->count++] = (struct target_key_column){
            .column = (size_t)column,
            .operator = xstrdup(PQgetvalue(keys, row, 3)),
            .collation = PQgetisnull(keys, row, 4) ? NULL : xstrdup(PQgetvalue(keys, row, 4)),
            .by_bytes = is_true(keys, row, 5),
        };
    }
}

static void key_release(struct target_key *key)
{
    for (size_t i = 0; i < key->count; i++) {
        free(key->columns[i].operator);
        free(key->columns[i].collation);
    }
    free(key->columns);
    free(key->index_name);
}

void target_table_release(struct target_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        free(table->columns[i].name);
        free(table->columns[i].type_name);
        free(table->columns[i].cast_name);
    }
    for (size_t i = 0; i < table->key_count; i++)
        key_release(&table->keys[i]);
    free(table->columns);
    free(table->keys);
    free(table->obstacles);
    free(table->schema);
    free(table->name);
    *table = (struct target_table)TARGET_TABLE_INIT;
}
