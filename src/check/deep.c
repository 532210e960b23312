/* Checks that read much: made where they are asked for alone (check_context.deep). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "check/run.h"
#include "sql/sql.h"

#define BIG_VALUE_BYTES (INT64_C(256) << 20)

/* amcheck's functions are in the schema that somebody chose; NULL: it is not there. Owned. */
static bool amcheck_schema(struct conn *c, char **schema, struct err *err)
{
    return conn_scalar(c, "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e "
                          "JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'amcheck'", 0, NULL, schema, err);
}

static void report_no_amcheck(struct check_run *run, const struct check *check)
{
    struct items items = ITEMS_INIT;
    struct check told = *check;

    told.found = "unique indexes over text were not looked into: {items}";
    items_add(&items, "the extension amcheck is not there", "CREATE EXTENSION amcheck; -- and DROP EXTENSION amcheck; afterwards", NULL);
    told.fix = NULL;
    items_report_as(run, &told, FINDING_INFO, &items);
}

/* One index at a time; a corrupted one is an item, and any other refusal the check's. */
static bool probe(struct conn *c, const char *schema, const char *oid, const char *name, struct items *items, struct err *err)
{
    struct err wrong = ERR_INIT;

    /* Before 11 it cannot look whether all rows are in the index. */
    if (conn_commandf(c, &wrong, "SELECT %s.bt_index_check(%s%s)", schema, oid, c->version >= 110000 ? ", true" : ""))
        return true;
    if (strcmp(wrong.sqlstate, "XX002") != 0 && strcmp(wrong.sqlstate, "XX001") != 0) {
        err_move(err, &wrong);
        return false;
    }
    char *item = xasprintf("%s (%s)", name, wrong.message);
    char *fix = xasprintf("REINDEX INDEX %s;", name);
    items_add(items, item, fix, NULL);
    free(item);
    free(fix);
    err_clear(&wrong);
    conn_rollback(c);
    return true;
}

bool check_unique_probe(struct check_run *run, const struct check *check, struct err *err)
{
    struct conn *c = run->context->source;
    struct items items = ITEMS_INIT;
    struct buf oids = BUF_INIT;
    char *schema = NULL;
    const char *args[1];

    check_add_oids(&oids, run->context->tables);
    args[0] = oids.data;
    PGresult *res = conn_exec_params(c, sql_check_unique_probe, 1, args, err);
    bool ok = res && amcheck_schema(c, &schema, err);
    if (ok && PQntuples(res) && !schema)
        report_no_amcheck(run, check);
    for (int i = 0; ok && schema && i < PQntuples(res); i++)
        ok = probe(c, schema, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), &items, err);
    items_report(run, check, &items);
    PQclear(res);
    buf_release(&oids);
    free(schema);
    return ok;
}

static bool add_big(struct check_run *run, const char *table, const char *sql, int64_t big, struct items *items, struct err *err)
{
    PGresult *res = conn_exec(run->context->source, sql, err);
    char size[32];

    for (int i = 0; res && i < PQntuples(res); i++) {
        int64_t bytes = strtoll(PQgetvalue(res, i, 1), NULL, 10);
        if (bytes < big)
            continue;
        units_bytes(bytes, size, sizeof size);
        char *item = xasprintf("%s.%s has one of %s", table, PQgetvalue(res, i, 0), size);
        items_add(items, item, NULL, NULL);
        free(item);
    }
    bool ok = res != NULL;
    PQclear(res);
    return ok;
}

bool check_big_row(struct check_run *run, const struct check *check, struct err *err)
{
    int64_t big = run->context->big_value_bytes ? run->context->big_value_bytes : BIG_VALUE_BYTES;
    struct items items = ITEMS_INIT;
    struct buf oids = BUF_INIT;
    char limit[32];
    const char *args[2] = {NULL, limit};

    snprintf(limit, sizeof limit, "%lld", (long long)big);
    check_add_oids(&oids, run->context->tables);
    args[0] = oids.data;
    PGresult *res = conn_exec_params(run->context->source, sql_check_big_row, 2, args, err);
    bool ok = res != NULL;
    for (int i = 0; ok && i < PQntuples(res); i++)
        ok = add_big(run, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), big, &items, err);
    items_report(run, check, &items);
    PQclear(res);
    buf_release(&oids);
    return ok;
}
