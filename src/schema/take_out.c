#include "schema/take_out.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/xalloc.h"
#include "sql/sql.h"

/* One row of schema_take_out.sql. */
enum { OUT_KIND, OUT_NAME, OUT_STATEMENT, OUT_BACK, OUT_OID };

/* What is needed to put the key back in two steps, and to find rows without partner, is known only while it is there. */
static bool take_key(struct conn *target, const char *oid, const char *statement, const char *back, struct err *err)
{
    PGresult *res = conn_exec_params(target, sql_schema_foreign_key, 1, &oid, err);
    cJSON *key = cJSON_CreateArray();

    for (int i = 0; res && PQntuples(res) && i < PQnfields(res); i++)
        cJSON_AddItemToArray(key, PQgetisnull(res, 0, i) ? cJSON_CreateNull() : cJSON_CreateString(PQgetvalue(res, 0, i)));
    char *text = json_line(key);
    const char *values[] = {text, back};
    bool ok = res && conn_command(target, "BEGIN", err) && conn_command_params(target, sql_schema_take_key, 2, values, err) &&
              conn_command(target, statement, err) && conn_command(target, "COMMIT", err);

    if (!ok)
        conn_rollback(target);
    free(text);
    cJSON_Delete(key);
    PQclear(res);
    return ok;
}

static bool take_one(struct conn *target, const PGresult *res, int i, struct err *err)
{
    const char *statement = PQgetvalue(res, i, OUT_STATEMENT);

    return strcmp(PQgetvalue(res, i, OUT_KIND), "foreign-key") == 0
               ? take_key(target, PQgetvalue(res, i, OUT_OID), statement, PQgetvalue(res, i, OUT_BACK), err)
               : conn_command(target, statement, err);
}

bool schema_take_out(struct conn *target, const struct schema_way *way, int *count, struct err *err)
{
    const char *values[] = {way->indexes ? "t" : "f", way->keys ? "t" : "f", way->triggers ? "t" : "f"};
    /* Definitions name everything by its schema then. */
    PGresult *res = conn_command(target, "SET search_path = ''", err) ? conn_exec_params(target, sql_schema_take_out, 3, values, err)
                                                                       : NULL;
    bool ok = res != NULL;
    int n = ok ? PQntuples(res) : 0;

    for (int i = 0; ok && i < n; i++) {
        ok = way->before(way->arg, PQgetvalue(res, i, OUT_KIND), PQgetvalue(res, i, OUT_NAME), PQgetvalue(res, i, OUT_BACK), err) &&
             take_one(target, res, i, err);
        if (!ok)
            err_wrap(err, "could not take %s %s out of the way", PQgetvalue(res, i, OUT_KIND), PQgetvalue(res, i, OUT_NAME));
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

char *schema_without_validation(const char *statement)
{
    static const char step[] = ";\nALTER TABLE ";
    const char *last = NULL;

    for (const char *at = statement; (at = strstr(at, step)); at++)
        last = at;
    return last ? xstrndup(statement, (size_t)(last - statement) + 1) : NULL;
}

bool schema_put_back(struct conn *target, const char *statement, enum schema_put_back *how, struct err *err)
{
    struct err own = ERR_INIT;
    bool ok = conn_command(target, statement, &own);
    char *shorter = !ok && strcmp(own.sqlstate, "23503") == 0 ? schema_without_validation(statement) : NULL;

    *how = PUT_BACK;
    if (!ok && is_one_of(own.sqlstate, "42P07 42710"))
        *how = PUT_WAS_THERE;
    else if (!ok && is_one_of(own.sqlstate, "42P01 42704 3F000"))
        *how = PUT_TABLE_GONE;
    else if (shorter && conn_command(target, shorter, &own))
        *how = PUT_NOT_VALID;
    free(shorter);
    if (ok || *how != PUT_BACK) {
        err_clear(&own);
        return true;
    }
    err_move(err, &own);
    return false;
}
