/* How it works: a sequence's value is read from the sequence itself, as if it were a table, 200 of
 * them joined by UNION ALL a statement: 10,000 take 50 round trips, and no transaction holds more than 200
 * locks. (pg_sequences leaves last_value null until the first nextval(), which loses setval(..., false).) */
#include "load/sequences.h"

#include <stdlib.h>
#include <string.h>

#include "pg/ident.h"
#include "sql/sql.h"

#define BATCH 200
#define NAMED_AT_MOST 10

void sequence_list_release(struct sequence_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].schema);
        free(list->items[i].name);
    }
    free(list->items);
    *list = (struct sequence_list){0};
}

static bool is_wanted(const struct sequence_filter *filter, const char *schema, const char *name)
{
    return !filter || !filter->wanted || filter->wanted(filter->arg, schema, name);
}

static bool list_names(struct conn *c, const struct sequence_filter *filter,
                       struct sequence_list *list, struct err *err)
{
    PGresult *res = conn_exec(c, sql_load_sequences, err);

    for (int i = 0; res && i < PQntuples(res); i++) {
        const char *schema = PQgetvalue(res, i, 0), *name = PQgetvalue(res, i, 1);
        if (!is_wanted(filter, schema, name))
            continue;
        list->items = xgrow(list->items, list->count, &list->cap, sizeof *list->items);
        list->items[list->count++] =
            (struct sequence_value){.schema = xstrdup(schema), .name = xstrdup(name)};
    }
    PQclear(res);
    return res != NULL;
}

static bool read_batch(struct conn *c, const struct sequence_value *names, size_t count,
                       struct sequence_value *values, struct err *err)
{
    struct buf sql = BUF_INIT;

    for (size_t i = 0; i < count; i++) {
        buf_addf(&sql, "%sSELECT %zu, last_value, is_called FROM ", i ? " UNION ALL " : "", i);
        ident_add_qualified(&sql, names[i].schema, names[i].name);
    }
    PGresult *res = conn_exec(c, sql.data, err);
    buf_release(&sql);
    for (int row = 0; res && row < PQntuples(res); row++) {
        struct sequence_value *value = &values[atoi(PQgetvalue(res, row, 0))];
        value->last_value = atoll(PQgetvalue(res, row, 1));
        value->is_called = *PQgetvalue(res, row, 2) == 't';
    }
    PQclear(res);
    return res != NULL;
}

static bool read_values(struct conn *c, const struct sequence_list *list,
                        struct sequence_value *values, struct err *err)
{
    for (size_t at = 0; at < list->count; at += BATCH) {
        size_t left = list->count - at;
        if (!read_batch(c, list->items + at, left < BATCH ? left : BATCH, values + at, err))
            return false;
    }
    return true;
}

bool sequences_read(struct conn *c, const struct sequence_filter *filter, struct sequence_list *list,
                    struct err *err)
{
    bool ok = list_names(c, filter, list, err) && read_values(c, list, list->items, err);

    if (!ok)
        sequence_list_release(list);
    return ok;
}

static int compare(const void *a, const void *b)
{
    const struct sequence_value *x = a, *y = b;
    int order = strcmp(x->schema, y->schema);

    return order ? order : strcmp(x->name, y->name);
}

bool sequences_exist(struct conn *c, const struct sequence_list *list, struct err *err)
{
    struct sequence_list there = {0};
    struct buf missing = BUF_INIT;
    int count = 0;

    if (!list_names(c, NULL, &there, err))
        return false;
    if (there.count)
        qsort(there.items, there.count, sizeof *there.items, compare);
    for (size_t i = 0; i < list->count; i++) {
        const struct sequence_value *item = &list->items[i];
        if (there.count && bsearch(item, there.items, there.count, sizeof *there.items, compare))
            continue;
        if (count++ < NAMED_AT_MOST) {
            char *name = ident_display(item->schema, item->name);
            buf_addf(&missing, "%s%s", missing.len ? ", " : "", name);
            free(name);
        }
    }
    if (count) {
        err_set(err, ERR_PREREQUISITE, "%s: %d sequence(s) do not exist: %s%s", c->label, count,
                missing.data, count > NAMED_AT_MOST ? ", ..." : "");
        err_hint(err, "Create them there, with the definition they have on the source.");
    }
    buf_release(&missing);
    sequence_list_release(&there);
    return count == 0;
}

bool sequences_read_same(struct conn *c, const struct sequence_list *list, struct sequence_value *values,
                         struct err *err)
{
    return sequences_exist(c, list, err) && read_values(c, list, values, err);
}

/* --- ahead of where they are --- */

struct bounds {
    int64_t increment, min, max;
    bool cycles;
};

static bool advance(struct sequence_value *item, const struct bounds *bounds, int margin)
{
    int64_t by, value;

    if (bounds->cycles)
        return true;
    if (__builtin_mul_overflow(bounds->increment, (int64_t)margin, &by) ||
        __builtin_add_overflow(item->last_value, by, &value) || value < bounds->min || value > bounds->max)
        return false;
    item->last_value = value;
    return true;
}

/* The list is in order: type name sorts by bytes. */
static struct sequence_value *find_item(const struct sequence_list *list, const PGresult *res, int row)
{
    const struct sequence_value key = {.schema = PQgetvalue(res, row, 0), .name = PQgetvalue(res, row, 1)};

    return bsearch(&key, list->items, list->count, sizeof *list->items, compare);
}

bool sequences_advance(struct conn *c, struct sequence_list *list, int margin, struct err *err)
{
    struct buf beyond = BUF_INIT;
    int count = 0;

    if (!margin || !list->count)
        return true;
    PGresult *res = conn_exec(c, sql_load_sequence_bounds, err);
    for (int row = 0; res && row < PQntuples(res); row++) {
        const struct bounds bounds = {atoll(PQgetvalue(res, row, 2)), atoll(PQgetvalue(res, row, 3)),
                                      atoll(PQgetvalue(res, row, 4)), *PQgetvalue(res, row, 5) == 't'};
        struct sequence_value *item = find_item(list, res, row);
        if (!item || advance(item, &bounds, margin))
            continue;
        if (count++ < NAMED_AT_MOST) {
            char *name = ident_display(item->schema, item->name);
            buf_addf(&beyond, "%s%s", beyond.len ? ", " : "", name);
            free(name);
        }
    }
    bool ok = res && !count;
    PQclear(res);
    if (count) {
        err_set(err, ERR_PREREQUISITE, "%s: cutover.sequenceMargin, %d, is more than %d sequence(s) have left: %s%s", c->label,
                margin, count, beyond.data, count > NAMED_AT_MOST ? ", ..." : "");
        err_hint(err, "Give them a higher MAXVALUE (a lower MINVALUE where they count down) or a larger type, or choose a smaller margin.");
    }
    buf_release(&beyond);
    return ok;
}
