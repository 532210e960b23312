#include "load/storage.h"

#include <stdlib.h>

#include "base/buf.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define NAMED_AT_MOST 20

bool storage_is_needed(const struct conn *source)
{
    return source->version < 110000;
}

#define WHAT_IT_IS                                                                                 \
    "TRUNCATE does not come through the stream, and VACUUM FULL, CLUSTER and rewriting forms of ALTER TABLE look the same from " \
    "here. "

static bool report(const struct conn *source, const PGresult *res, struct err *err)
{
    struct buf lines = BUF_INIT;
    int count = PQntuples(res);

    for (int i = 0; i < count && i < NAMED_AT_MOST; i++) {
        char *table = ident_display(PQgetvalue(res, i, 0), PQgetvalue(res, i, 1));
        buf_addf(&lines, "%s%s %s.", i ? "\n" : "", table, PQgetvalue(res, i, 2));
        free(table);
    }
    err_set(err, ERR_CONFLICT, "%s: %d table%s changed in a way that servers before 11 do not send",
            source->label, count, count == 1 ? "" : "s");
    err_detail(err, "%s%s", lines.data, count > NAMED_AT_MOST ? "\n..." : "");
    err_hint(err, WHAT_IT_IS "Load what is named again: pgcutover reload NAME TABLE.");
    buf_release(&lines);
    return false;
}

static void tell(const struct conn *source, const PGresult *res, int row, storage_lost *lost, void *arg)
{
    char *table = ident_display(PQgetvalue(res, row, 0), PQgetvalue(res, row, 1));
    struct err why = ERR_INIT;

    err_set(&why, ERR_CONFLICT, "%s: table %s %s, which servers before 11 do not send", source->label, table,
            PQgetvalue(res, row, 2));
    err_hint(&why, WHAT_IT_IS "Load it again: pgcutover reload NAME '%s'.", table);
    lost(arg, PQgetvalue(res, row, 3), &why);
    err_clear(&why);
    free(table);
}

/* NULL on error; *known false: nothing is loaded that could be looked for. */
static PGresult *changed_tables(struct conn *source, struct conn *target, bool *known, struct err *err)
{
    char *storage = NULL;
    PGresult *res = NULL;
    bool ok = conn_scalar(target, sql_state_storage, 0, NULL, &storage, err);
    const char *values[] = {storage};

    *known = !ok || storage;
    if (ok && storage)
        res = conn_exec_params(source, sql_load_storage_changed, 1, values, err);
    free(storage);
    return res;
}

bool storage_look(struct conn *source, struct conn *target, storage_lost *lost, void *arg, struct err *err)
{
    bool known;
    PGresult *res = changed_tables(source, target, &known, err);

    for (int row = 0; res && row < PQntuples(res); row++)
        tell(source, res, row, lost, arg);
    PQclear(res);
    return res || !known;
}

bool storage_check(struct conn *source, struct conn *target, struct err *err)
{
    bool known;
    PGresult *res = changed_tables(source, target, &known, err);
    bool ok = !known || (res && (PQntuples(res) == 0 || report(source, res, err)));

    PQclear(res);
    return ok;
}
