#include "schema/identity.h"

#include "base/buf.h"
#include "sql/sql.h"

/* One transaction: the list changes pgcutover.identity and gives the statements that go with that. */
static bool portion(struct conn *target, const char *list_sql, int *count, struct err *err)
{
    struct buf statements = BUF_INIT;
    PGresult *res = NULL;
    bool ok = conn_command(target, "BEGIN", err) && (res = conn_exec(target, list_sql, err));

    *count = ok ? PQntuples(res) : 0;
    for (int i = 0; i < *count; i++)
        if (!PQgetisnull(res, i, 0))
            buf_addf(&statements, "%s\n", PQgetvalue(res, i, 0));
    ok = ok && (!statements.len || conn_command(target, statements.data, err)) &&
         conn_command(target, "COMMIT", err);
    if (!ok)
        conn_rollback(target);
    PQclear(res);
    buf_release(&statements);
    return ok;
}

static bool all_portions(struct conn *target, const char *list_sql, struct err *err)
{
    int count;

    do {
        if (!portion(target, list_sql, &count, err))
            return false;
    } while (count);
    return true;
}

bool schema_identity_relax(struct conn *target, struct err *err)
{
    /* Before 10 there are no identity columns. */
    bool ok = target->version < 100000 || all_portions(target, sql_schema_identity_relax, err);

    if (!ok)
        err_wrap(err, "could not let identity columns take the source's values");
    return ok;
}

bool schema_identity_restore(struct conn *target, struct err *err)
{
    bool ok = target->version < 100000 || all_portions(target, sql_schema_identity_restore, err);

    if (!ok)
        err_wrap(err, "could not make identity columns GENERATED ALWAYS again");
    return ok;
}
