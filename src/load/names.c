#include "load/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/stop.h"
#include "pg/ident.h"
#include "sql/sql.h"

void names_array_add(struct buf *out, const struct table_name *tables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *name = ident_qualified(tables[i].schema, tables[i].name);
        array_add(out, name);
        free(name);
    }
    array_end(out);
}

static bool try_once(struct conn *c, const char *sql, int lock_timeout_ms, struct err *err)
{
    bool ok = conn_command(c, "BEGIN READ WRITE", err) &&
              conn_commandf(c, err, "SET LOCAL lock_timeout = %d", lock_timeout_ms) &&
              conn_command(c, sql, err) && conn_command(c, "COMMIT", err);

    if (!ok)
        conn_rollback(c);
    return ok;
}

void lock_blockers(struct conn *c, const char *names_array, bool exclusive, struct err *err)
{
    const char *values[] = {names_array, exclusive ? "true" : "false"};
    PGresult *res = conn_exec_params(c, c->version >= 90600 ? sql_load_lock_blockers
                                                            : sql_load_lock_blockers_pg95,
                                     2, values, NULL);
    struct buf text = BUF_INIT;

    for (int i = 0; res && i < PQntuples(res); i++)
        buf_addf(&text, "%s%s", i ? "\n" : "", PQgetvalue(res, i, 0));
    if (text.len)
        err_detail(err, "%s", text.data);
    err_hint(err, "Wait for these sessions to end, or end them with pg_terminate_backend().");
    buf_release(&text);
    PQclear(res);
}

bool locked_command(struct conn *c, const char *sql, const char *names_array,
                    const struct lock_attempt *attempt, struct err *err)
{
    for (int i = 0; i < attempt->tries; i++) {
        struct err failed = ERR_INIT;
        if (i && !stop_sleep(attempt->pause_ms, err))
            return false;
        if (try_once(c, sql, attempt->timeout_ms, &failed))
            return true;
        bool busy = strcmp(failed.sqlstate, "55P03") == 0;
        if (!busy || i + 1 == attempt->tries)
            err_move(err, &failed);
        err_clear(&failed);
        if (!busy)
            return false;
    }
    if (err)
        err->code = ERR_TIMEOUT;
    lock_blockers(c, names_array, attempt->exclusive, err);
    return false;
}
