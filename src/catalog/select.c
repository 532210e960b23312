/* Picking tables.
 *
 * plan_selects() answers for one name with selection and exclusion in one. Partitions need the two
 * apart: a partition is picked when it or any table above it is selected, and neither it nor any
 * table above it is excluded. So it is asked with two halves of the plan's database, one without
 * exclusions and one whose selection is the exclusions; that also tells which patterns were used. */
#include "catalog/select.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pg/ident.h"
#include "plan/pattern.h"

#define NEAR_NAMES 3

struct selection {
    const struct catalog *catalog;
    const struct catalog *target;  /* may be NULL */
    const struct plan_database *database;
    struct plan_database selected; /* without the exclusions; borrows all but its index */
    struct plan_database excluded; /* the exclusions as selection; likewise */
    bool *selected_used;
    bool *excluded_used;
    bool *mapping_used;
    struct table_list *out;
};

const char *table_mode_name(enum table_mode mode)
{
    return mode == TABLE_SYNC ? "sync" : "at-cutover";
}

void table_list_release(struct table_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct table_entry *entry = &list->items[i];
        free(entry->schema);
        free(entry->name);
        free(entry->target_schema);
        free(entry->target_name);
        free(entry->final_schema);
        free(entry->final_name);
        free(entry->where);
        free(entry->columns);
    }
    for (size_t i = 0; i < list->skip_count; i++) {
        free(list->skipped[i].schema);
        free(list->skipped[i].name);
    }
    free(list->items);
    free(list->skipped);
    *list = (struct table_list)TABLE_LIST_INIT;
}

void table_list_drop(struct table_list *list, size_t i)
{
    struct table_list one = {.items = xcalloc(1, sizeof *list->items), .count = 1};

    one.items[0] = list->items[i];
    list->bytes -= one.items[0].bytes;
    table_list_release(&one);
    memmove(&list->items[i], &list->items[i + 1], (--list->count - i) * sizeof *list->items);
}

void table_list_drop_unlogged(struct table_list *list)
{
    for (size_t i = list->count; i-- > 0;)
        if (list->items[i].unlogged)
            table_list_drop(list, i);
}

void table_list_keep_names(struct table_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct table_entry *entry = &list->items[i];
        if (strcmp(entry->schema, entry->target_schema) == 0 &&
            strcmp(entry->name, entry->target_name) == 0)
            continue;
        entry->final_schema = entry->target_schema;
        entry->final_name = entry->target_name;
        entry->target_schema = xstrdup(entry->schema);
        entry->target_name = xstrdup(entry->name);
    }
}

/* --- near names --- */

size_t edit_distance(const char *from, const char *to)
{
    size_t width = strlen(to);
    size_t *row = xcalloc(width + 1, sizeof *row); /* distances of one prefix of `from` */

    for (size_t j = 0; j <= width; j++)
        row[j] = j;
    for (size_t i = 1; from[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            bool same = tolower((unsigned char)from[i - 1]) == tolower((unsigned char)to[j - 1]);
            size_t best = diagonal + !same;
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    size_t distance = row[width];
    free(row);
    return distance;
}

struct near {
    const struct catalog_table *table;
    size_t distance;
};

static const char *name_part(const char *pattern)
{
    const char *dot = strrchr(pattern, '.');

    return dot ? dot + 1 : pattern;
}

/* The same name in another schema counts as one edit away. */
static size_t distance_to(const struct catalog_table *table, const char *pattern)
{
    char *shown = ident_display(table->schema, table->name);
    size_t whole = edit_distance(pattern, shown);
    size_t name = edit_distance(name_part(pattern), table->name) + 1;

    free(shown);
    return whole < name ? whole : name;
}

static void near_keep(struct near near[NEAR_NAMES], struct near candidate)
{
    for (size_t i = 0; i < NEAR_NAMES; i++) {
        if (near[i].table && near[i].distance <= candidate.distance)
            continue;
        struct near moved = near[i];
        near[i] = candidate;
        candidate = moved;
        if (!candidate.table)
            return;
    }
}

static void hint_near(const struct catalog *catalog, const char *pattern, struct err *err)
{
    struct near near[NEAR_NAMES] = {{0}};
    struct buf names = BUF_INIT;
    size_t limit = strlen(name_part(pattern)) / 3 + 1;

    for (size_t i = 0; i < catalog->table_count; i++) {
        struct near candidate = {&catalog->tables[i], distance_to(&catalog->tables[i], pattern)};
        if (candidate.distance <= limit)
            near_keep(near, candidate);
    }
    for (size_t i = 0; i < NEAR_NAMES && near[i].table; i++) {
        char *shown = ident_display(near[i].table->schema, near[i].table->name);
        buf_addf(&names, "%s%s", i ? ", " : "", shown);
        free(shown);
    }
    if (names.len)
        err_hint(err, "Near names: %s. Write schema.table, with double quotes as in SQL where the "
                 "name has capitals.", names.data);
    else
        err_hint(err, "Write schema.table, with double quotes as in SQL where the name has capitals; "
                 "* stands for any characters.");
    buf_release(&names);
}

/* --- one table --- */

static const struct catalog_table *parent_of(const struct selection *s,
                                             const struct catalog_table *table)
{
    return table->parent_oid ? catalog_table_by_oid(s->catalog, table->parent_oid) : NULL;
}

/* Every table of the chain is asked, so that each pattern that fits counts as used. */
static bool chain_matches(const struct selection *s, const struct plan_database *half, bool *used,
                          const struct catalog_table *table)
{
    bool matches = false;

    for (; table; table = parent_of(s, table))
        if (plan_selects(half, table->schema, table->name, used))
            matches = true;
    return matches;
}

static bool is_picked(const struct selection *s, const struct catalog_table *table)
{
    bool selected = chain_matches(s, &s->selected, s->selected_used, table);
    bool excluded = s->excluded.selected_count &&
                    chain_matches(s, &s->excluded, s->excluded_used, table);

    return selected && !excluded;
}

static void skip(struct selection *s, const struct catalog_table *table, enum skip_reason reason)
{
    struct table_list *out = s->out;

    out->skipped = xgrow(out->skipped, out->skip_count, &out->skip_cap, sizeof *out->skipped);
    out->skipped[out->skip_count++] = (struct table_skip){
        .oid = table->oid,
        .schema = xstrdup(table->schema),
        .name = xstrdup(table->name),
        .reason = reason,
    };
}

/* The mapping's column list as the entry has it. */
static void take_columns(const struct plan_mapping *map, struct table_entry *entry)
{
    char *const *names = map->column_count ? map->columns : map->excluded;
    size_t count = map->column_count ? map->column_count : map->excluded_count;
    struct buf list = BUF_INIT;

    if (entry->columns || !count)
        return;
    for (size_t i = 0; i < count; i++)
        array_add(&list, names[i]);
    buf_addch(&list, '}');
    entry->columns = buf_take(&list);
    entry->columns_left_out = !map->column_count;
}

/* The table's own mapping, or of the nearest partitioned table above it that has a filter. */
static void apply_mappings(struct selection *s, const struct catalog_table *table,
                           struct table_entry *entry)
{
    for (const struct catalog_table *at = table; at; at = parent_of(s, at)) {
        const struct plan_mapping *map = plan_mapping_for(s->database, at->schema, at->name);
        if (!map)
            continue;
        s->mapping_used[map - s->database->mappings] = true;
        if (at == table && map->to_name) {
            str_replace(&entry->target_name, map->to_name);
            if (map->to_schema)
                str_replace(&entry->target_schema, map->to_schema);
        }
        if (map->where && !entry->where)
            entry->where = xstrdup(map->where);
        take_columns(map, entry);
    }
}

/* What is to be done with a table that cannot say which row an UPDATE means. */
static const struct keyless_row {
    enum plan_keyless choice;
    enum table_mode mode;
    bool needs_full;
} keyless_rows[] = {
    {KEYLESS_REFUSE, TABLE_SYNC, false}, /* the check no-ri stops it */
    {KEYLESS_FULL, TABLE_SYNC, true},
    {KEYLESS_AT_CUTOVER, TABLE_AT_CUTOVER, false},
};

static void set_mode(const struct selection *s, struct table_entry *entry)
{
    entry->mode = TABLE_SYNC;
    for (size_t i = 0; entry->keyless && i < sizeof keyless_rows / sizeof *keyless_rows; i++) {
        if (keyless_rows[i].choice != s->database->keyless)
            continue;
        entry->mode = keyless_rows[i].mode;
        entry->needs_full = keyless_rows[i].needs_full;
    }
    if (entry->unlogged) {
        entry->mode = TABLE_AT_CUTOVER;
        entry->needs_full = false;
    }
}

static void add(struct selection *s, const struct catalog_table *table)
{
    struct table_list *out = s->out;

    out->items = xgrow(out->items, out->count, &out->cap, sizeof *out->items);
    struct table_entry *entry = &out->items[out->count++];
    *entry = (struct table_entry){
        .oid = table->oid,
        .schema = xstrdup(table->schema),
        .name = xstrdup(table->name),
        .target_schema = xstrdup(table->schema),
        .target_name = xstrdup(table->name),
        .bytes = table->bytes,
        .rows = table->rows,
        .keyless = !table->has_identity,
        .unlogged = table->persistence == 'u',
    };
    apply_mappings(s, table, entry);
    set_mode(s, entry);
    out->bytes += entry->bytes;
}

static bool is_on_target(struct selection *s, const struct catalog_table *table)
{
    struct table_entry entry = {.target_schema = xstrdup(table->schema),
                                .target_name = xstrdup(table->name)};

    apply_mappings(s, table, &entry);
    bool found = catalog_table_by_name(s->target, entry.target_schema, entry.target_name) != NULL;
    free(entry.target_schema);
    free(entry.target_name);
    free(entry.where);
    free(entry.columns);
    return found;
}

static void consider(struct selection *s, const struct catalog_table *table)
{
    if (!is_picked(s, table) || table->kind == KIND_PARTITIONED)
        return;
    if (table->extension)
        skip(s, table, SKIP_EXTENSION);
    else if (table->kind == KIND_FOREIGN)
        skip(s, table, SKIP_FOREIGN);
    else if (s->target && !s->database->selected_count && !is_on_target(s, table))
        skip(s, table, SKIP_NOT_ON_TARGET);
    else
        add(s, table);
}

/* --- the whole --- */

static bool patterns_are_used(const struct selection *s, struct err *err)
{
    const struct plan_database *database = s->database;

    for (size_t i = 0; i < database->selected_count; i++) {
        if (s->selected_used[i])
            continue;
        err_set(err, ERR_USAGE, "database \"%s\": selectedTables: \"%s\" matches no table",
                database->name, database->selected[i]);
        hint_near(s->catalog, database->selected[i], err);
        return false;
    }
    for (size_t i = 0; i < database->excluded_count; i++) {
        /* A pattern may guard against tables yet to come; a plain name is a mistake. */
        if (s->excluded_used[i] || strchr(database->excluded[i], '*'))
            continue;
        err_set(err, ERR_USAGE, "database \"%s\": excludedTables: \"%s\" matches no table",
                database->name, database->excluded[i]);
        hint_near(s->catalog, database->excluded[i], err);
        return false;
    }
    return true;
}

static bool is_partitioned(const struct catalog *catalog, const struct plan_mapping *map)
{
    const struct catalog_table *table =
        map->schema ? catalog_table_by_name(catalog, map->schema, map->name) : NULL;

    return table && table->kind == KIND_PARTITIONED;
}

static bool mappings_are_used(const struct selection *s, struct err *err)
{
    for (size_t i = 0; i < s->database->mapping_count; i++) {
        const struct plan_mapping *map = &s->database->mappings[i];

        if (!s->mapping_used[i]) {
            err_set(err, ERR_USAGE, "database \"%s\": tableMappings: \"%s\" is not among the picked "
                    "tables", s->database->name, map->table);
            hint_near(s->catalog, map->table, err);
            return false;
        }
        if (map->to_name && is_partitioned(s->catalog, map)) {
            err_set(err, ERR_USAGE, "database \"%s\": tableMappings: \"%s\" is partitioned and cannot "
                    "be mapped to \"%s\" as a whole", s->database->name, map->table, map->to);
            err_hint(err, "Map its partitions one by one; a row filter (where) and a column list may "
                          "stay on it.");
            return false;
        }
    }
    return true;
}

static int by_target(const void *a, const void *b)
{
    const struct table_entry *left = *(const struct table_entry *const *)a;
    const struct table_entry *right = *(const struct table_entry *const *)b;
    int schemas = strcmp(left->target_schema, right->target_schema);

    return schemas ? schemas : strcmp(left->target_name, right->target_name);
}

static bool targets_are_distinct(const struct selection *s, struct err *err)
{
    const struct table_list *out = s->out;
    const struct table_entry **sorted = xcalloc(out->count, sizeof *sorted);
    bool distinct = true;

    for (size_t i = 0; i < out->count; i++)
        sorted[i] = &out->items[i];
    qsort(sorted, out->count, sizeof *sorted, by_target);
    for (size_t i = 1; distinct && i < out->count; i++) {
        if (by_target(&sorted[i - 1], &sorted[i]) != 0)
            continue;
        char *one = ident_display(sorted[i - 1]->schema, sorted[i - 1]->name);
        char *two = ident_display(sorted[i]->schema, sorted[i]->name);
        char *to = ident_display(sorted[i]->target_schema, sorted[i]->target_name);
        err_set(err, ERR_USAGE, "database \"%s\": tableMappings: %s and %s would both go to %s",
                s->database->name, one, two, to);
        err_hint(err, "Give each table a target of its own.");
        free(one);
        free(two);
        free(to);
        distinct = false;
    }
    free(sorted);
    return distinct;
}

static int by_bytes(const void *a, const void *b)
{
    const struct table_entry *left = a;
    const struct table_entry *right = b;

    if (left->bytes != right->bytes)
        return left->bytes < right->bytes ? 1 : -1;
    int schemas = strcmp(left->schema, right->schema);
    return schemas ? schemas : strcmp(left->name, right->name);
}

static void halve(struct selection *s)
{
    s->selected = *s->database;
    s->selected.excluded = NULL;
    s->selected.excluded_count = 0;
    s->excluded = s->selected;
    s->excluded.selected = s->database->excluded;
    s->excluded.selected_count = s->database->excluded_count;
    s->selected.index = plan_index_new(&s->selected);
    s->excluded.index = plan_index_new(&s->excluded);
}

bool catalog_select_existing(const struct catalog *catalog, const struct catalog *target,
                             const struct plan_database *database, struct table_list *out,
                             struct err *err)
{
    struct selection s = {.catalog = catalog, .target = target, .database = database, .out = out};

    *out = (struct table_list)TABLE_LIST_INIT;
    halve(&s);
    s.selected_used = xcalloc(database->selected_count, sizeof *s.selected_used);
    s.excluded_used = xcalloc(database->excluded_count, sizeof *s.excluded_used);
    s.mapping_used = xcalloc(database->mapping_count, sizeof *s.mapping_used);
    for (size_t i = 0; i < catalog->table_count; i++)
        consider(&s, &catalog->tables[i]);
    bool ok = patterns_are_used(&s, err) && mappings_are_used(&s, err) &&
              targets_are_distinct(&s, err);
    if (ok && out->count)
        qsort(out->items, out->count, sizeof *out->items, by_bytes);
    else if (!ok)
        table_list_release(out);
    plan_index_free(s.selected.index);
    plan_index_free(s.excluded.index);
    free(s.selected_used);
    free(s.excluded_used);
    free(s.mapping_used);
    return ok;
}

bool catalog_select(const struct catalog *catalog, const struct plan_database *database,
                    struct table_list *out, struct err *err)
{
    return catalog_select_existing(catalog, NULL, database, out, err);
}
