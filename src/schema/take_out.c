#include "schema/take_out.h"

#include <string.h>

#include "sql/sql.h"

bool schema_take_out(struct conn *target, const struct schema_way *way, int *count, struct err *err)
{
    const char *indexes = way->indexes ? "t" : "f";
    /* Definitions name everything by its schema then. */
    PGresult *res = conn_command(target, "SET search_path = ''", err) ? conn_exec_params(target, sql_schema_take_out, 1, &indexes, err)
                                                                       : NULL;
    bool ok = res != NULL;
    int n = ok ? PQntuples(res) : 0;

    for (int i = 0; ok && i < n; i++) {
        ok = way->before(way->arg, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), PQgetvalue(res, i, 3), err) &&
             conn_command(target, PQgetvalue(res, i, 2), err);
        if (!ok)
            err_wrap(err, "could not take %s %s out of the way", PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
    }
    if (ok && count)
        *count = n;
    PQclear(res);
    return ok;
}

static bool is_one_of(const char *sqlstate, const char *list)
{
    return *sqlstate && strstr(list, sqlstate);
}

bool schema_put_back(struct conn *target, const char *statement, enum schema_put_back *how, struct err *err)
{
    struct err own = ERR_INIT;
    bool ok = conn_command(target, statement, &own);

    *how = PUT_BACK;
    if (!ok && is_one_of(own.sqlstate, "42P07 42710"))
        *how = PUT_WAS_THERE;
    else if (!ok && is_one_of(own.sqlstate, "42P01 42704 3F000"))
        *how = PUT_TABLE_GONE;
    if (ok || *how != PUT_BACK) {
        err_clear(&own);
        return true;
    }
    err_move(err, &own);
    return false;
}
