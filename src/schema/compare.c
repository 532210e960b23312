/* How it works: both sides' columns come in one query each, in the same order, and are merged. */
#include "schema/compare.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define LINES_SHOWN 200

struct comparison {
    const struct schema_table_pair *pair; /* being compared */
    const PGresult *source, *target;
    int source_row, target_row;
    int differences;
    struct buf lines;
};

static void differ(struct comparison *cmp, const char *column, const char *fmt, ...)
    PGC_PRINTF(3, 4);

static void differ(struct comparison *cmp, const char *column, const char *fmt, ...)
{
    va_list args;

    if (cmp->differences++ >= LINES_SHOWN)
        return;
    va_start(args, fmt);
    char *what = xvasprintf(fmt, args);
    va_end(args);
    char *table = ident_display(cmp->pair->target_schema, cmp->pair->target_table);
    buf_addf(&cmp->lines, "%s%s", cmp->lines.len ? "\n" : "", table);
    if (column)
        buf_addf(&cmp->lines, ", column \"%s\"", column);
    buf_addf(&cmp->lines, ": %s", what);
    free(table);
    free(what);
}

/* The column of the row if it belongs to table number `place`, else NULL. */
static const char *column_at(const PGresult *res, int row, size_t place)
{
    if (row >= PQntuples(res) || strtoul(PQgetvalue(res, row, 0), NULL, 10) != place ||
        PQgetisnull(res, row, 1))
        return NULL;
    return PQgetvalue(res, row, 1);
}

static void merge_columns(struct comparison *cmp, size_t place)
{
    for (;;) {
        const char *from = column_at(cmp->source, cmp->source_row, place);
        const char *to = column_at(cmp->target, cmp->target_row, place);
        int order = !from ? 1 : !to ? -1 : strcmp(from, to);
        if (!from && !to)
            return;
        const char *type = from ? PQgetvalue(cmp->source, cmp->source_row, 2) : NULL;
        const char *target_type = to ? PQgetvalue(cmp->target, cmp->target_row, 2) : NULL;
        if (order < 0)
            differ(cmp, from, "missing on the target (%s)", type);
        else if (order > 0 && PQgetvalue(cmp->target, cmp->target_row, 3)[0] == 't')
            differ(cmp, to, "NOT NULL without default, and not on the source");
        else if (order == 0 && strcmp(type, target_type) != 0)
            differ(cmp, from, "type %s on the source, %s on the target", type, target_type);
        cmp->source_row += order <= 0;
        cmp->target_row += order >= 0;
    }
}

static bool is_there(const PGresult *res, int row, size_t place)
{
    return row < PQntuples(res) && strtoul(PQgetvalue(res, row, 0), NULL, 10) == place;
}

static void merge_table(struct comparison *cmp, size_t place)
{
    if (!is_there(cmp->target, cmp->target_row, place)) {
        differ(cmp, NULL, "missing on the target");
        while (is_there(cmp->source, cmp->source_row, place))
            cmp->source_row++;
        return;
    }
    if (PQgetisnull(cmp->target, cmp->target_row, 1)) {
        /* A table without columns has one row of nulls: what the source has is missing. */
        for (; is_there(cmp->source, cmp->source_row, place); cmp->source_row++)
            differ(cmp, PQgetvalue(cmp->source, cmp->source_row, 1), "missing on the target (%s)",
                   PQgetvalue(cmp->source, cmp->source_row, 2));
        cmp->target_row++;
        return;
    }
    merge_columns(cmp, place);
}

static void tell(struct comparison *cmp, struct err *err)
{
    if (cmp->differences > LINES_SHOWN)
        buf_addf(&cmp->lines, "\nand %d more", cmp->differences - LINES_SHOWN);
    err_set(err, ERR_PREREQUISITE, "the target's tables do not fit the source's in %d place%s",
            cmp->differences, cmp->differences == 1 ? "" : "s");
    err_detail(err, "%s", cmp->lines.data);
    err_hint(err, "Alter the target's tables, or migrate into an empty database with schema.mode copy.");
}

bool schema_compare_tables(struct conn *source, struct conn *target,
                           const struct schema_table_pair *pairs, size_t count, struct err *err)
{
    struct buf oids = BUF_INIT, schemas = BUF_INIT, tables = BUF_INIT, columns = BUF_INIT;
    struct comparison cmp = {0};

    for (size_t i = 0; i < count; i++) {
        array_add(&oids, pairs[i].source_oid);
        array_add(&schemas, pairs[i].target_schema);
        array_add(&tables, pairs[i].target_table);
        array_add(&columns, pairs[i].columns ? pairs[i].columns : "");
    }
    const char *source_values[] = {array_end(&oids), array_end(&columns)};
    const char *target_values[] = {array_end(&schemas), array_end(&tables)};
    PGresult *from = conn_exec_params(source, sql_schema_columns_source, 2, source_values, err);
    PGresult *to = from ? conn_exec_params(target, sql_schema_columns_target, 2, target_values, err)
                        : NULL;
    bool ok = from && to;
    cmp.source = from;
    cmp.target = to;
    for (size_t i = 0; ok && i < count; i++) {
        cmp.pair = &pairs[i];
        merge_table(&cmp, i + 1);
    }
    if (ok && cmp.differences) {
        tell(&cmp, err);
        ok = false;
    }
    PQclear(from);
    PQclear(to);
    buf_release(&oids);
    buf_release(&schemas);
    buf_release(&tables);
    buf_release(&columns);
    buf_release(&cmp.lines);
    return ok;
}
