#include "load/part_keys.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define PAGES_PER_PART 30
/* A table that is not in the key's order is read by an index in leaps, or whole for every range: fewer of them. */
#define DISORDER 4

enum field { F_COLUMN, F_TYPE, F_LESS, F_NOT_LESS, F_ORDERED, F_PAGES, F_SIZE };

/* --- conditions --- */

static void add_bound(struct buf *out, const struct part_key *key, const char *operator, const char *literal)
{
    if (literal)
        buf_addf(out, "%s%s %s %s::%s", out->len ? " AND " : "", key->column, operator, literal, key->type);
}

static char *condition(const struct part_key *key, const char *from, const char *to)
{
    struct buf out = BUF_INIT;

    add_bound(&out, key, key->not_less, from);
    add_bound(&out, key, key->less, to);
    return buf_take(&out);
}

void part_keys_conditions(const struct part_key *key, const char *const *literals, size_t count, struct part_list *list)
{
    const char *from = NULL;

    *list = (struct part_list){xcalloc(count + 1, sizeof *list->conditions), 0};
    if (!count)
        return;
    for (size_t i = 0; i < count; i++) {
        if (from && strcmp(from, literals[i]) == 0)
            continue;
        list->conditions[list->count++] = condition(key, from, literals[i]);
        from = literals[i];
    }
    list->conditions[list->count++] = condition(key, from, NULL);
}

/* --- the sample --- */

/* The first key of each of `count` pieces of one size, but for the first. Rows of one key are of one piece: where they begin. */
static char *sample_sql(const struct part_table *table, const PGresult *keys, int row, int count)
{
    int64_t pages = strtoll(PQgetvalue(keys, row, F_PAGES), NULL, 10);
    double percent = pages ? 100.0 * PAGES_PER_PART * count / (double)pages : 100;
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "SELECT pg_catalog.format('%%L', y.k) FROM (SELECT DISTINCT ON (x.part) x.part, x.k FROM (SELECT s.k, "
             "(pg_catalog.sum(s.w) OVER (ORDER BY s.k) - pg_catalog.sum(s.w) OVER (PARTITION BY s.k)) * %d "
             "/ pg_catalog.sum(s.w) OVER () AS part FROM (SELECT t.%s AS k, 32 + %s AS w FROM ONLY ",
             count, PQgetvalue(keys, row, F_COLUMN), PQgetvalue(keys, row, F_SIZE));
    ident_add_qualified(&sql, table->schema, table->name);
    buf_addf(&sql, " t TABLESAMPLE SYSTEM (%.6f)) s) x WHERE x.part > 0 ORDER BY x.part, x.k) y ORDER BY y.part",
             percent > 100 ? 100 : percent);
    return buf_take(&sql);
}

/* NULL: it cannot be taken, which harms nothing; the transaction goes on. */
static PGresult *take_sample(struct conn *src, const char *sql)
{
    struct err err = ERR_INIT;
    PGresult *res = conn_command(src, "SAVEPOINT sample", &err) ? conn_exec(src, sql, &err) : NULL;

    if (!res) {
        log_err(LOG_INFO, &err);
        conn_command(src, "ROLLBACK TO SAVEPOINT sample", NULL);
    }
    err_clear(&err);
    return res;
}

static int count_wanted(const struct part_table *table, const PGresult *keys, int row, int64_t part_bytes)
{
    bool ordered = *PQgetvalue(keys, row, F_ORDERED) == 't';
    int64_t pages = strtoll(PQgetvalue(keys, row, F_PAGES), NULL, 10);

    return parts_cut(pages, table->bytes, ordered ? part_bytes : part_bytes * DISORDER, NULL);
}

static void cut_by(struct conn *src, const struct part_table *table, const PGresult *keys, int row, int count,
                   struct part_list *list)
{
    const struct part_key key = {PQgetvalue(keys, row, F_COLUMN), PQgetvalue(keys, row, F_TYPE), PQgetvalue(keys, row, F_LESS),
                                 PQgetvalue(keys, row, F_NOT_LESS)};
    char *sql = sample_sql(table, keys, row, count);
    PGresult *res = take_sample(src, sql);
    int found = res ? PQntuples(res) : 0;
    const char **literals = xcalloc((size_t)found + 1, sizeof *literals);

    for (int i = 0; i < found; i++)
        literals[i] = PQgetvalue(res, i, 0);
    part_keys_conditions(&key, literals, (size_t)found, list);
    free(literals);
    PQclear(res);
    free(sql);
}

bool part_keys_cut(struct conn *src, const struct part_table *table, int64_t part_bytes, struct part_list *list, struct err *err)
{
    PGresult *keys = conn_exec_params(src, sql_load_keys, 1, &table->oid, err);

    *list = (struct part_list){0};
    for (int row = 0; keys && row < PQntuples(keys); row++) {
        int count = count_wanted(table, keys, row, part_bytes);
        struct part_list found = {0};
        /* Half of what is wanted is enough: more values of another column would not help by much. */
        if (count < 2 || list->count >= (count + 1) / 2)
            break;
        cut_by(src, table, keys, row, count, &found);
        if (found.count > list->count) {
            struct part_list fewer = *list;
            *list = found;
            found = fewer;
        }
        part_list_release(&found);
    }
    PQclear(keys);
    return keys != NULL;
}
