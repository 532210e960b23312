#include "cdc/definition.h"

#include <stdlib.h>
#include <string.h>

#include "pg/ident.h"
#include "sql/sql.h"

enum { D_OID, D_IDENTITY, D_NAME, D_TYPE_OID, D_TYPMOD, D_TYPE, D_KEY, D_SYSTEM_KEY };

void definition_release(struct definition *definition)
{
    for (size_t i = 0; i < definition->column_count; i++) {
        free(definition->columns[i].name);
        free(definition->columns[i].type);
    }
    free(definition->columns);
    free(definition->schema);
    free(definition->name);
    *definition = (struct definition){0};
}

/* --- from the catalog --- */

static void read_column(const PGresult *res, int row, struct definition_column *column)
{
    *column = (struct definition_column){
        .name = xstrdup(PQgetvalue(res, row, D_NAME)),
        .type = xstrdup(PQgetvalue(res, row, D_TYPE)),
        .type_oid = (uint32_t)strtoul(PQgetvalue(res, row, D_TYPE_OID), NULL, 10),
        .typmod = atoi(PQgetvalue(res, row, D_TYPMOD)),
        .key = *PQgetvalue(res, row, D_KEY) == 't',
    };
}

static void read_rows(struct definition *definition, const PGresult *res)
{
    definition->oid = (uint32_t)strtoul(PQgetvalue(res, 0, D_OID), NULL, 10);
    definition->identity = *PQgetvalue(res, 0, D_IDENTITY);
    definition->system_key = *PQgetvalue(res, 0, D_SYSTEM_KEY) == 't';
    if (PQgetisnull(res, 0, D_NAME))
        return;
    definition->column_count = (size_t)PQntuples(res);
    definition->columns = xcalloc(definition->column_count, sizeof *definition->columns);
    for (size_t i = 0; i < definition->column_count; i++) {
        read_column(res, (int)i, &definition->columns[i]);
        definition->key_count += definition->columns[i].key;
    }
}

bool definition_read(struct definition *definition, struct conn *source, const char *schema,
                     const char *name, uint32_t oid, struct err *err)
{
    char *number = oid ? xasprintf("%u", oid) : NULL;
    const char *values[] = {schema, name, number};
    PGresult *res = conn_exec_params(source, sql_cdc_definition, 3, values, err);

    *definition = (struct definition){.schema = xstrdup(schema), .name = xstrdup(name)};
    if (res && PQntuples(res) > 0)
        read_rows(definition, res);
    PQclear(res);
    free(number);
    return res != NULL;
}

/* --- compared with a line --- */

static const struct definition_column *find(const struct definition *definition, const char *name)
{
    for (size_t i = 0; i < definition->column_count; i++)
        if (strcmp(definition->columns[i].name, name) == 0)
            return &definition->columns[i];
    return NULL;
}

static bool is_same(const struct definition_column *column, const struct text_column *other)
{
    return strcmp(column->name, other->name) == 0 && strcmp(column->type, other->type) == 0;
}

static bool fits_new(const struct definition *definition, const struct text_row *row)
{
    if (row->count != definition->column_count)
        return false;
    for (size_t i = 0; i < row->count; i++)
        if (!is_same(&definition->columns[i], &row->columns[i]))
            return false;
    return true;
}

/* Under FULL the row is all columns that are not null, otherwise it is the key. */
static bool fits_old(const struct definition *definition, const struct text_row *row)
{
    for (size_t i = 0; i < row->count; i++) {
        const struct definition_column *column = find(definition, row->columns[i].name);
        if (!column || !column->key || !is_same(column, &row->columns[i]))
            return false;
    }
    return definition->identity == 'f' || row->count == definition->key_count;
}

bool definition_fits(const struct definition *definition, const struct text_change *change)
{
    if (change->kind != TEXT_DELETE && !(change->has_new && fits_new(definition, &change->new_row)))
        return false;
    if (change->kind == TEXT_INSERT)
        return true;
    if (change->has_old)
        return definition->key_count > 0 && fits_old(definition, &change->old_row);
    /* Without an old row the key is unchanged; under FULL there always is one. */
    return change->kind == TEXT_UPDATE && definition->key_count > 0 && definition->identity != 'f' &&
           !definition->system_key;
}

/* --- from a line --- */

static bool ask_types(const struct text_row *row, struct definition_column *columns,
                      struct conn *source, struct err *err)
{
    struct buf names = BUF_INIT;

    for (size_t i = 0; i < row->count; i++)
        array_add(&names, row->columns[i].type);
    array_end(&names);
    const char *values[] = {names.data};
    PGresult *res = conn_exec_params(source, sql_cdc_type, 1, values, err);
    for (int i = 0; res && i < PQntuples(res); i++)
        if (!columns[i].type_oid)
            columns[i].type_oid = (uint32_t)strtoul(PQgetvalue(res, i, 0), NULL, 10);
    PQclear(res);
    buf_release(&names);
    return res != NULL;
}

static size_t copy_columns(const struct definition *known, const struct text_row *row,
                           struct definition_column *columns)
{
    size_t keys = 0;

    for (size_t i = 0; i < row->count; i++) {
        const struct text_column *from = &row->columns[i];
        const struct definition_column *old = find(known, from->name);
        bool same = old && is_same(old, from);
        columns[i] = (struct definition_column){
            .name = xstrdup(from->name),
            .type = xstrdup(from->type),
            .type_oid = same ? old->type_oid : 0,
            .typmod = same ? old->typmod : -1,
            .key = known->identity == 'f' || (old && old->key),
        };
        keys += columns[i].key;
    }
    return keys;
}

bool definition_adapt(struct definition *definition, const struct text_change *change,
                      struct conn *source, struct err *err)
{
    const struct text_row *row = &change->new_row;
    struct definition adapted = *definition;

    if (change->has_new) {
        adapted.columns = xcalloc(row->count, sizeof *adapted.columns);
        adapted.column_count = row->count;
        adapted.key_count = copy_columns(definition, row, adapted.columns);
        adapted.schema = xstrdup(definition->schema);
        adapted.name = xstrdup(definition->name);
        if (!ask_types(row, adapted.columns, source, err)) {
            definition_release(&adapted);
            return false;
        }
        bool whole = definition->identity == 'f' || adapted.key_count == definition->key_count;
        if (whole && definition_fits(&adapted, change)) {
            definition_release(definition);
            *definition = adapted;
            return true;
        }
        definition_release(&adapted);
    }
    char *table = ident_display(definition->schema, definition->name);
    err_set(err, ERR_CONFLICT, "source table %s has no replica identity, or another one than when a row was "
            "%s", table, change->kind == TEXT_DELETE ? "deleted" : "changed");
    err_hint(err, "Which row is meant cannot be told. Give the table a key (or REPLICA IDENTITY FULL) and load it "
             "again: cancel this migration and start it anew.");
    free(table);
    return false;
}

/* --- messages --- */

static void put_string(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text) + 1);
}

void definition_put_relation(const struct definition *definition, struct buf *out)
{
    buf_addch(out, 'R');
    buf_put_u32(out, definition->oid);
    put_string(out, strcmp(definition->schema, "pg_catalog") == 0 ? "" : definition->schema);
    put_string(out, definition->name);
    buf_addch(out, definition->identity);
    buf_put_u16(out, (uint16_t)definition->column_count);
    for (size_t i = 0; i < definition->column_count; i++) {
        const struct definition_column *column = &definition->columns[i];
        buf_addch(out, column->key ? 1 : 0);
        put_string(out, column->name);
        buf_put_u32(out, column->type_oid);
        buf_put_u32(out, (uint32_t)column->typmod);
    }
}

static void put_value(struct buf *out, const struct value *value)
{
    if (!value || value->kind == VALUE_NULL) {
        buf_addch(out, 'n');
    } else if (value->kind == VALUE_UNCHANGED) {
        buf_addch(out, 'u');
    } else {
        buf_addch(out, 't');
        buf_put_u32(out, value->len);
        buf_add(out, value->data, value->len);
    }
}

static void put_new(struct buf *out, const struct text_row *row)
{
    buf_addch(out, 'N');
    buf_put_u16(out, (uint16_t)row->count);
    for (size_t i = 0; i < row->count; i++)
        put_value(out, &row->columns[i].value);
}

/* The row's columns come in the table's order, the others are null. */
static void put_old(const struct definition *definition, const struct text_row *row, struct buf *out)
{
    size_t next = 0;

    buf_addch(out, definition->identity == 'f' ? 'O' : 'K');
    buf_put_u16(out, (uint16_t)definition->column_count);
    for (size_t i = 0; i < definition->column_count; i++) {
        bool there = next < row->count &&
                     strcmp(definition->columns[i].name, row->columns[next].name) == 0;
        put_value(out, there ? &row->columns[next++].value : NULL);
    }
}

void definition_put_change(const struct definition *definition, const struct text_change *change,
                           struct buf *out)
{
    static const char kinds[] = {[TEXT_INSERT] = 'I', [TEXT_UPDATE] = 'U', [TEXT_DELETE] = 'D'};

    buf_addch(out, kinds[change->kind]);
    buf_put_u32(out, definition->oid);
    if (change->has_old)
        put_old(definition, &change->old_row, out);
    if (change->kind != TEXT_DELETE)
        put_new(out, &change->new_row);
}
