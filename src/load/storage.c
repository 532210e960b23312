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
    err_hint(err, "TRUNCATE does not come through the stream, and VACUUM FULL, CLUSTER and rewriting forms of ALTER "
                  "TABLE look the same from here. Load what is named again (pgcutover reload NAME TABLE), then "
                  "pgcutover resume NAME.");
    buf_release(&lines);
    return false;
}

bool storage_check(struct conn *source, struct conn *target, struct err *err)
{
    char *known = NULL;

    if (!conn_scalar(target, sql_state_storage, 0, NULL, &known, err))
        return false;
    if (!known)
        return true;
    const char *values[] = {known};
    PGresult *res = conn_exec_params(source, sql_load_storage_changed, 1, values, err);
    bool ok = res && (PQntuples(res) == 0 || report(source, res, err));
    PQclear(res);
    free(known);
    return ok;
}
