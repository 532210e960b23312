/* How it works: in one transaction, first out of the way under names of their own (so that two tables can
 * change places), then into the schema, then to the name. */
#include "schema/rename.h"

#include <string.h>

#include "base/buf.h"
#include "base/stop.h"
#include "sql/sql.h"

#define LOCK_TIMEOUT "700ms" /* as in apply.c: gives way to the applier before a deadlock */
#define TRIES 20
#define PAUSE_MS 500

static bool rename_once(struct conn *target, const char *last, struct err *err)
{
    struct buf sql = BUF_INIT;
    PGresult *res = NULL;
    bool ok = conn_command(target, "BEGIN", err) &&
              conn_command(target, "SET LOCAL lock_timeout = '" LOCK_TIMEOUT "'", err) &&
              (res = conn_exec(target, sql_schema_renames, err));

    for (int i = 0; ok && i < PQntuples(res); i++)
        buf_addf(&sql, "%s;\n", PQgetvalue(res, i, 0));
    ok = ok && (!sql.len || conn_command(target, sql.data, err)) && conn_command(target, last, err);
    if (!ok)
        conn_rollback(target);
    PQclear(res);
    buf_release(&sql);
    return ok;
}

static bool rename_tables(struct conn *target, const char *last, struct err *err)
{
    struct err own = ERR_INIT;
    bool ok = false;

    for (int tries = 1; !(ok = rename_once(target, last, &own)); tries++) {
        bool again = tries < TRIES && (strcmp(own.sqlstate, "55P03") == 0 ||
                                       strcmp(own.sqlstate, "40P01") == 0);
        if (!again || !stop_sleep(PAUSE_MS, NULL))
            break;
        err_clear(&own);
    }
    if (!ok) {
        err_wrap(&own, "could not give the mapped tables their names on the target");
        err_move(err, &own);
    }
    err_clear(&own);
    return ok;
}

bool schema_rename_tables(struct conn *target, struct err *err)
{
    return rename_tables(target, "COMMIT", err);
}

bool schema_rename_rehearse(struct conn *target, struct err *err)
{
    return rename_tables(target, "ROLLBACK", err);
}
