/* How it works: both servers give lists of (name, value): relations with a digest of all their
 * rows, then definitions, which are names without a value. Two sorted lists are walked side by
 * side. */
#include "cli/demo_verdict.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/stop.h"
#include "demo/sql.h"

struct item {
    char *name;
    char *value;
};

struct list {
    struct item *items;
    size_t count, cap;
};

void demo_verdict_init(struct demo_verdict *verdict)
{
    *verdict = (struct demo_verdict){.differences = cJSON_CreateArray(),
                                     .leftovers = cJSON_CreateArray()};
}

void demo_verdict_release(struct demo_verdict *verdict)
{
    cJSON_Delete(verdict->differences);
    cJSON_Delete(verdict->leftovers);
    *verdict = (struct demo_verdict){0};
}

static void list_add(struct list *list, const char *name, const char *value)
{
    list->items = xgrow(list->items, list->count, &list->cap, sizeof *list->items);
    list->items[list->count++] = (struct item){xstrdup(name), xstrdup(value)};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

static void list_sort(struct list *list)
{
    if (list->count)
        qsort(list->items, list->count, sizeof *list->items, by_name);
}

static void list_release(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        free(list->items[i].value);
    }
    free(list->items);
    *list = (struct list){0};
}

static void add_difference(struct demo_verdict *verdict, const char *fmt, ...) PGC_PRINTF(2, 3);
static void add_difference(struct demo_verdict *verdict, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    cJSON_AddItemToArray(verdict->differences, cJSON_CreateString(text));
    free(text);
}

static void compare_lists(struct demo_verdict *verdict, struct list *source, struct list *target)
{
    size_t s = 0;
    size_t t = 0;

    list_sort(source);
    list_sort(target);
    while (s < source->count || t < target->count) {
        const struct item *a = s < source->count ? &source->items[s] : NULL;
        const struct item *b = t < target->count ? &target->items[t] : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a->name, b->name);
        if (order < 0)
            add_difference(verdict, "only on the source: %s", a->name);
        else if (order > 0)
            add_difference(verdict, "only on the target: %s", b->name);
        else if (strcmp(a->value, b->value) != 0)
            add_difference(verdict, "%s: source %s, target %s", a->name, a->value, b->value);
        s += order <= 0;
        t += order >= 0;
    }
}

/* --- rows and sequences --- */

static bool refresh_views(struct conn *source, struct err *err)
{
    PGresult *res = conn_command(source, "SET default_transaction_read_only = off", err)
                        ? conn_exec(source, sql_demo_relations, err) : NULL;
    bool ok = res != NULL;

    for (int i = 0; ok && i < PQntuples(res); i++)
        if (*PQgetvalue(res, i, 0) == 'm')
            ok = conn_commandf(source, err, "REFRESH MATERIALIZED VIEW %s", PQgetvalue(res, i, 1));
    PQclear(res);
    return ok;
}

static void count_kind(struct demo_verdict *verdict, char kind, const char *rows)
{
    verdict->tables += kind == 'r';
    verdict->views += kind == 'm';
    verdict->sequences += kind == 'S';
    if (kind == 'r')
        verdict->rows += atoll(rows);
}

/* counts: NULL, or where to count what is found. */
static bool read_relation(struct conn *conn, const PGresult *relations, int i, struct list *list,
                          struct demo_verdict *counts, struct err *err)
{
    char kind = *PQgetvalue(relations, i, 0);
    const char *name = PQgetvalue(relations, i, 1);
    PGresult *res = conn_exec(conn, PQgetvalue(relations, i, 2), err);

    if (!res)
        return false;
    if (PQntuples(res) == 1) {
        const char *rows = PQgetvalue(res, 0, 0);
        char *value = kind == 'S' ? xasprintf("at %s", PQgetvalue(res, 0, 1))
                                  : xasprintf("%s rows %s", rows, PQgetvalue(res, 0, 1));
        list_add(list, name, value);
        free(value);
        if (counts)
            count_kind(counts, kind, rows);
    }
    PQclear(res);
    return true;
}

static bool read_relations(struct conn *conn, struct list *list, struct demo_verdict *counts,
                           struct err *err)
{
    PGresult *res = conn_exec(conn, sql_demo_relations, err);
    bool ok = res != NULL;

    for (int i = 0; ok && i < PQntuples(res); i++)
        ok = read_relation(conn, res, i, list, counts, err);
    PQclear(res);
    return ok;
}

/* --- lists of one text --- */

static bool read_texts(struct conn *conn, const char *sql, struct list *list, struct err *err)
{
    PGresult *res = conn_exec(conn, sql, err);

    for (int i = 0; res && i < PQntuples(res); i++)
        list_add(list, PQgetvalue(res, i, 0), "");
    PQclear(res);
    return res != NULL;
}

bool demo_verdict_compare(struct demo_verdict *verdict, struct conn *source, struct conn *target,
                          struct err *err)
{
    struct list lists[4] = {{0}};
    bool ok = refresh_views(source, err) && read_relations(source, &lists[0], verdict, err) &&
              read_relations(target, &lists[1], NULL, err) &&
              read_texts(source, sql_demo_objects, &lists[2], err) &&
              read_texts(target, sql_demo_objects, &lists[3], err);

    if (ok) {
        compare_lists(verdict, &lists[0], &lists[1]);
        compare_lists(verdict, &lists[2], &lists[3]);
        verdict->objects = lists[2].count;
    }
    for (int i = 0; i < 4; i++)
        list_release(&lists[i]);
    return ok;
}

/* --- leftovers --- */

static bool look_for_leftovers(struct conn *conn, cJSON *found, struct err *err)
{
    struct list list = {0};
    bool ok = read_texts(conn, sql_demo_leftovers, &list, err);

    for (size_t i = 0; ok && i < list.count; i++) {
        char *text = xasprintf("%s: %s", side_name(conn->side), list.items[i].name);
        cJSON_AddItemToArray(found, cJSON_CreateString(text));
        free(text);
    }
    list_release(&list);
    return ok;
}

bool demo_verdict_leftovers(struct demo_verdict *verdict, struct conn *source, struct conn *target,
                            int timeout_ms, struct err *err)
{
    int64_t until = clock_mono_ms() + timeout_ms;

    for (;;) {
        cJSON_Delete(verdict->leftovers);
        verdict->leftovers = cJSON_CreateArray();
        if (!look_for_leftovers(source, verdict->leftovers, err) ||
            !look_for_leftovers(target, verdict->leftovers, err))
            return false;
        if (!cJSON_GetArraySize(verdict->leftovers) || clock_mono_ms() >= until)
            return true;
        if (!stop_sleep(100, err))
            return false;
    }
}
