/* How a row is found. The replica identity of the source names some columns. Where the target has a
 * unique index over (some of) these, its columns and its operator families' equality are used, for
 * it names one row and is fast. Else the row image decides: `*=` is true for the same bytes, works
 * for types without an equality (json, xml, point), tells -0 from 0 and 1.0 from 1.00, takes nulls
 * as equal, and looks through compression and TOAST.
 *
 * Two values may print the same and differ in their bytes: a NaN that was computed, xml whose binary
 * form was loaded with an encoding. So a row that is not found by its image is looked for by the
 * text of its columns: format('%s') is the output function for every type, where a cast to text is not. */
#include "cdc/statements.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "pg/ident.h"

#define FIRST_UNCOMMON_OID 10000 /* smaller ones are the same on every server (access/transam.h) */
#define TEXT_OID 25
#define KEY_NAMES_MAX 8
#define TEXT_ARRAY_OID 1009 /* text[]: pg_type.dat */

/* --- the source's side --- */

void source_table_release(struct source_table *table)
{
    for (size_t i = 0; i < table->column_count; i++)
        free(table->columns[i].name);
    free(table->columns);
    free(table->schema);
    free(table->name);
    *table = (struct source_table)SOURCE_TABLE_INIT;
}

void source_table_set(struct source_table *table, const struct change *relation)
{
    source_table_release(table);
    table->schema = xstrdup(relation->schema);
    table->name = xstrdup(relation->name);
    table->identity = relation->identity;
    table->column_count = relation->column_count;
    table->columns = xcalloc(relation->column_count, sizeof *table->columns);
    for (size_t i = 0; i < relation->column_count; i++) {
        table->columns[i] = relation->columns[i];
        table->columns[i].name = xstrdup(relation->columns[i].name);
    }
}

bool source_table_is(const struct source_table *table, const struct change *relation)
{
    if (!table->name || strcmp(table->name, relation->name) != 0 ||
        strcmp(table->schema, relation->schema) != 0 || table->identity != relation->identity ||
        table->column_count != relation->column_count)
        return false;
    for (size_t i = 0; i < table->column_count; i++) {
        const struct relation_column *a = &table->columns[i];
        const struct relation_column *b = &relation->columns[i];
        if (a->key != b->key || a->type_oid != b->type_oid || a->typmod != b->typmod ||
            strcmp(a->name, b->name) != 0)
            return false;
    }
    return true;
}

/* --- the map --- */

void table_map_release(struct table_map *map)
{
    free(map->targets);
    free(map->keys);
    free(map->key_names);
    *map = (struct table_map)TABLE_MAP_INIT;
}

static bool same_type(const struct relation_column *source, const struct target_column *target)
{
    /* Text takes the values of any type of users; columns are so on purpose (schema.enums "text"). */
    if (source->type_oid >= FIRST_UNCOMMON_OID && (target->type_oid >= FIRST_UNCOMMON_OID || target->type_oid == TEXT_OID))
        return true;
    return source->type_oid == target->type_oid && source->typmod == target->typmod;
}

static bool map_column(struct table_map *map, size_t i, bool same_types, struct err *err)
{
    const struct relation_column *column = &map->source->columns[i];
    int found = target_table_column(map->target, column->name);
    char *table = ident_display(map->target->schema, map->target->name);

    map->targets[i] = found >= 0 && map->target->columns[found].generated ? -1 : found;
    if (found < 0)
        err_set(err, ERR_CONFLICT, "target table %s has no column \"%s\"", table, column->name);
    else if (same_types && !same_type(column, &map->target->columns[found]))
        err_set(err, ERR_CONFLICT, "column \"%s\" of target table %s has another type than on the source",
                column->name, table);
    else
        found = 1;
    free(table);
    return found == 1;
}

/* The source column that goes to a target column, or -1. */
static int source_of(const struct table_map *map, size_t target)
{
    for (size_t i = 0; i < map->source->column_count; i++)
        if (map->targets[i] == (int)target)
            return (int)i;
    return -1;
}

static bool identifies(const struct table_map *map, size_t source)
{
    return map->source->identity == 'f' || map->source->columns[source].key;
}

static bool key_is_usable(const struct table_map *map, const struct target_key *key)
{
    for (size_t i = 0; i < key->count; i++) {
        int source = source_of(map, key->columns[i].column);
        if (source < 0 || !identifies(map, (size_t)source))
            return false;
    }
    return key->count > 0;
}

/* More columns of the replica identity are better: for a key, all of them; the primary key, which
 * comes first, wins among equals. With FULL anything unique will do. */
static const struct target_key *best_key(const struct table_map *map)
{
    const struct target_key *best = NULL;

    for (size_t i = 0; i < map->target->key_count; i++) {
        const struct target_key *key = &map->target->keys[i];
        if (!key_is_usable(map, key))
            continue;
        if (!best || (map->source->identity != 'f' && key->count > best->count))
            best = key;
    }
    return best;
}

static void find_by_index(struct table_map *map, const struct target_key *key)
{
    map->find = FIND_KEY;
    for (size_t i = 0; i < key->count; i++) {
        const struct target_key_column *column = &key->columns[i];
        map->keys[map->key_count++] = (struct map_key){
            .source = (size_t)source_of(map, column->column),
            .target = column->column,
            .operator = column->operator,
            .collation = column->collation,
            .by_bytes = column->by_bytes,
        };
    }
}

/* The target's type takes the source's text as it is, else two texts could be one key. */
static bool key_is_plain(const struct table_map *map, const struct map_key *key)
{
    const struct relation_column *source = &map->source->columns[key->source];
    const struct target_column *target = &map->target->columns[key->target];

    if (source->type_oid < FIRST_UNCOMMON_OID || target->type_oid < FIRST_UNCOMMON_OID)
        return key->by_bytes && source->type_oid == target->type_oid;
    return key->by_bytes;
}

static bool may_merge(const struct table_map *map)
{
    if (map->find != FIND_KEY || map->target->unique_count > 1 || map->target->acts)
        return false;
    for (size_t i = 0; i < map->key_count; i++)
        if (!key_is_plain(map, &map->keys[i]))
            return false;
    return true;
}

static void find_by_image(struct table_map *map)
{
    for (size_t i = 0; i < map->source->column_count; i++)
        if (identifies(map, i) && map->targets[i] >= 0)
            map->keys[map->key_count++] =
                (struct map_key){.source = i, .target = (size_t)map->targets[i]};
    if (map->source->identity == 'f')
        map->find = FIND_ROW;
    else
        map->find = map->key_count ? FIND_KEY_IMAGE : FIND_NOTHING;
}

static void name_keys(struct table_map *map)
{
    struct buf names = BUF_INIT;

    buf_addch(&names, '(');
    for (size_t i = 0; i < map->key_count && i < KEY_NAMES_MAX; i++)
        buf_addf(&names, "%s%s", i ? ", " : "", map->source->columns[map->keys[i].source].name);
    buf_addstr(&names, map->key_count > KEY_NAMES_MAX ? ", ...)=(" : ")=(");
    map->key_names = buf_take(&names);
}

bool table_map_build(struct table_map *map, const struct source_table *source,
                     const struct target_table *target, bool same_types, size_t *column,
                     struct err *err)
{
    *map = (struct table_map){.source = source, .target = target};
    map->targets = xcalloc(source->column_count, sizeof *map->targets);
    map->keys = xcalloc(source->column_count, sizeof *map->keys);
    for (size_t i = 0; i < source->column_count; i++) {
        if (map_column(map, i, same_types, err))
            continue;
        if (column)
            *column = i;
        table_map_release(map);
        return false;
    }
    const struct target_key *key = best_key(map);
    if (key)
        find_by_index(map, key);
    else
        find_by_image(map);
    name_keys(map);
    map->merges = may_merge(map);
    map->acts = target->acts;
    return true;
}

/* --- statements --- */

void statement_text_release(struct statement_text *text)
{
    buf_release(&text->sql);
    free(text->parameters);
    free(text->types);
    *text = (struct statement_text)STATEMENT_TEXT_INIT;
}

static const struct target_column *written_as(const struct table_map *map, size_t source)
{
    return map->targets[source] < 0 ? NULL : &map->target->columns[map->targets[source]];
}

/* Takes a parameter for a source column and returns its number. */
static size_t take_parameter(const struct table_map *map, struct statement_text *out, size_t source,
                             bool find)
{
    if (out->count == out->cap) {
        out->cap = out->cap ? out->cap * 2 : 16;
        out->parameters = xrealloc(out->parameters, out->cap * sizeof *out->parameters);
        out->types = xrealloc(out->types, out->cap * sizeof *out->types);
    }
    out->parameters[out->count] = (struct parameter){(uint16_t)source, find};
    out->types[out->count] = written_as(map, source)->type_oid;
    return ++out->count;
}

/* "[ONLY] "s"."t"": a partitioned table has no rows of its own, any other table only these. */
static void add_table(const struct table_map *map, struct buf *sql)
{
    buf_addstr(sql, map->target->relkind == 'p' ? "" : "ONLY ");
    ident_add_qualified(sql, map->target->schema, map->target->name);
}

static void add_key_condition(const struct table_map *map, struct statement_text *out)
{
    for (size_t i = 0; i < map->key_count; i++) {
        const struct map_key *key = &map->keys[i];
        size_t n = take_parameter(map, out, key->source, true);
        buf_addstr(&out->sql, i ? " AND " : "");
        ident_add(&out->sql, map->target->columns[key->target].name);
        buf_addf(&out->sql, " %s ", key->operator);
        buf_addf(&out->sql, key->collation ? "($%zu COLLATE %s)" : "$%zu", n, key->collation);
    }
}

static void add_image_condition(const struct table_map *map, struct buf *sql, size_t first)
{
    buf_addstr(sql, "ROW(");
    for (size_t i = 0; i < map->key_count; i++) {
        buf_addstr(sql, i ? ", " : "");
        ident_add(sql, map->target->columns[map->keys[i].target].name);
    }
    buf_addstr(sql, ")::record OPERATOR(pg_catalog.*=) ROW(");
    for (size_t i = 0; i < map->key_count; i++)
        buf_addf(sql, "%s$%zu", i ? ", " : "", first + i);
    buf_addstr(sql, ")::record");
}

static void add_text_condition(const struct table_map *map, struct buf *sql, size_t first)
{
    for (size_t i = 0; i < map->key_count; i++) {
        buf_addstr(sql, i ? " AND (" : "(");
        ident_add(sql, map->target->columns[map->keys[i].target].name);
        buf_addf(sql, " IS NULL) = ($%zu IS NULL) AND pg_catalog.format('%%s', ", first + i);
        ident_add(sql, map->target->columns[map->keys[i].target].name);
        buf_addf(sql, ") = pg_catalog.format('%%s', $%zu)", first + i);
    }
    if (!map->key_count)
        buf_addstr(sql, "true");
}

static size_t take_key_parameters(const struct table_map *map, struct statement_text *out)
{
    size_t first = out->count + 1;

    for (size_t i = 0; i < map->key_count; i++)
        take_parameter(map, out, map->keys[i].source, true);
    return first;
}

/* One of the same rows, by its place; the second search runs only when the first finds none. */
static void add_row_place(const struct table_map *map, struct statement_text *out)
{
    size_t first = take_key_parameters(map, out);
    struct buf *sql = &out->sql;

    buf_addstr(sql, "ctid = COALESCE((SELECT ctid FROM ");
    add_table(map, sql);
    buf_addstr(sql, " WHERE ");
    add_image_condition(map, sql, first);
    buf_addstr(sql, " LIMIT 1), (SELECT ctid FROM ");
    add_table(map, sql);
    buf_addstr(sql, " WHERE ");
    add_text_condition(map, sql, first);
    buf_addstr(sql, " LIMIT 1))");
}

/* The same across partitions, where a ctid alone is not a place. */
static void add_partition_place(const struct table_map *map, struct statement_text *out)
{
    size_t first = take_key_parameters(map, out);
    struct buf *sql = &out->sql;

    buf_addstr(sql, "(tableoid, ctid) IN (SELECT o, c FROM (SELECT tableoid, ctid FROM ");
    add_table(map, sql);
    buf_addstr(sql, " WHERE ");
    add_image_condition(map, sql, first);
    buf_addstr(sql, " UNION ALL SELECT tableoid, ctid FROM ");
    add_table(map, sql);
    buf_addstr(sql, " WHERE ");
    add_text_condition(map, sql, first);
    buf_addstr(sql, ") same (o, c) LIMIT 1)");
}

static void add_where(const struct table_map *map, struct statement_text *out)
{
    buf_addstr(&out->sql, " WHERE ");
    if (map->find == FIND_KEY)
        add_key_condition(map, out);
    else if (map->find == FIND_KEY_IMAGE)
        add_image_condition(map, &out->sql, take_key_parameters(map, out));
    else if (map->target->relkind == 'p')
        add_partition_place(map, out);
    else
        add_row_place(map, out);
}

static void add_values(struct statement_text *out)
{
    for (size_t i = 0; i < out->count; i++)
        buf_addf(&out->sql, i ? ", $%zu" : "($%zu", i + 1);
    buf_addch(&out->sql, ')');
}

/* --- statements for many rows --- */

/* In the select list unnest() gives a composite as one value, and nothing is stored in between. A cast
 * from text without the type's modifier is the type's input; the modifier is applied where the value is
 * assigned, and what does not fit is an error there. */
static void add_unnested(const struct table_map *map, struct statement_text *out)
{
    buf_addstr(&out->sql, "SELECT ");
    for (size_t i = 0; i < out->count; i++) {
        const struct target_column *column = written_as(map, out->parameters[i].column);
        buf_addf(&out->sql, "%spg_catalog.unnest($%zu)", i ? ", " : "", i + 1);
        if (!column->array_oid)
            buf_addf(&out->sql, "::%s", column->cast_name);
        buf_addf(&out->sql, " AS v%zu", i + 1);
        out->types[i] = column->array_oid ? column->array_oid : TEXT_ARRAY_OID;
    }
}

/* A statement's rows u are joined to the table's t by the key. */
static void add_key_join(const struct table_map *map, struct statement_text *out, size_t first)
{
    for (size_t i = 0; i < map->key_count; i++) {
        const struct map_key *key = &map->keys[i];
        buf_addstr(&out->sql, i ? " AND t." : " WHERE t.");
        ident_add(&out->sql, map->target->columns[key->target].name);
        buf_addf(&out->sql, " %s ", key->operator);
        buf_addf(&out->sql, key->collation ? "(u.v%zu COLLATE %s)" : "u.v%zu", first + i,
                 key->collation);
    }
}

static void build_update_many(const struct table_map *map, const uint64_t *set,
                              struct statement_text *out)
{
    buf_addstr(&out->sql, "UPDATE ");
    add_table(map, &out->sql);
    buf_addstr(&out->sql, " AS t");
    for (size_t i = 0; i < map->source->column_count; i++) {
        const struct target_column *column = written_as(map, i);
        if (!column || !(set[i / 64] >> (i % 64) & 1))
            continue;
        buf_addstr(&out->sql, out->count ? ", " : " SET ");
        ident_add(&out->sql, column->name);
        buf_addf(&out->sql, " = u.v%zu", take_parameter(map, out, i, false));
    }
    size_t first = take_key_parameters(map, out);
    buf_addstr(&out->sql, " FROM (");
    add_unnested(map, out);
    buf_addstr(&out->sql, ") u");
    add_key_join(map, out, first);
}

static void build_delete_many(const struct table_map *map, struct statement_text *out)
{
    buf_addstr(&out->sql, "DELETE FROM ");
    add_table(map, &out->sql);
    buf_addstr(&out->sql, " AS t USING (");
    size_t first = take_key_parameters(map, out);
    add_unnested(map, out);
    buf_addstr(&out->sql, ") u");
    add_key_join(map, out, first);
}

static void build_insert(const struct table_map *map, bool arrays, struct statement_text *out)
{
    bool identity = false;

    buf_addstr(&out->sql, "INSERT INTO ");
    ident_add_qualified(&out->sql, map->target->schema, map->target->name);
    for (size_t i = 0; i < map->source->column_count; i++) {
        const struct target_column *column = written_as(map, i);
        if (!column)
            continue;
        buf_addstr(&out->sql, out->count ? ", " : " (");
        ident_add(&out->sql, column->name);
        identity |= column->identity;
        take_parameter(map, out, i, false);
    }
    if (!out->count) {
        buf_addstr(&out->sql, " DEFAULT VALUES");
        return;
    }
    buf_addstr(&out->sql, identity ? ") OVERRIDING SYSTEM VALUE " : ") ");
    if (arrays) {
        add_unnested(map, out);
        return;
    }
    buf_addstr(&out->sql, "VALUES ");
    add_values(out);
}

static void build_update(const struct table_map *map, const uint64_t *set, struct statement_text *out)
{
    struct buf assignments = BUF_INIT;

    for (size_t i = 0; i < map->source->column_count; i++) {
        const struct target_column *column = written_as(map, i);
        if (!column || !(set[i / 64] >> (i % 64) & 1))
            continue;
        buf_addstr(&assignments, assignments.len ? ", " : " SET ");
        ident_add(&assignments, column->name);
        buf_addf(&assignments, " = $%zu", take_parameter(map, out, i, false));
    }
    buf_addstr(&out->sql, assignments.len ? "UPDATE " : "SELECT FROM ");
    add_table(map, &out->sql);
    buf_add(&out->sql, assignments.data, assignments.len);
    add_where(map, out);
    buf_release(&assignments);
}

void statement_build(const struct table_map *map, const struct statement_shape *shape,
                     struct statement_text *out)
{
    *out = (struct statement_text)STATEMENT_TEXT_INIT;
    if (shape->kind == CHANGE_INSERT) {
        build_insert(map, shape->arrays, out);
    } else if (shape->arrays && shape->kind == CHANGE_UPDATE) {
        build_update_many(map, shape->set, out);
    } else if (shape->arrays) {
        build_delete_many(map, out);
    } else if (shape->kind == CHANGE_UPDATE) {
        build_update(map, shape->set, out);
    } else {
        buf_addstr(&out->sql, "DELETE FROM ");
        add_table(map, &out->sql);
        add_where(map, out);
    }
}
