#include "cutover/bouncer.h"

#include <stdlib.h>
#include <string.h>

#include "pg/ident.h"

bool bouncer_open(struct conn *c, const char *uri, struct err *err)
{
    struct conninfo info = CONNINFO_INIT;
    struct conn_options options = {.side = SIDE_SOURCE, .profile = CONN_BOUNCER, .role = "cutover"};
    bool ok = conninfo_parse(&info, uri, err);

    if (ok && !conninfo_get(&info, "dbname"))
        conninfo_set(&info, "dbname", "pgbouncer");
    ok = ok && conn_open(c, &info, &options, err);
    if (ok) {
        char *where = conninfo_label(&info);
        free(c->label);
        c->label = xasprintf("PgBouncer %s", where);
        free(where);
    }
    conninfo_release(&info);
    return ok;
}

static bool command(struct conn *c, const char *verb, const char *database, int timeout_ms, struct err *err)
{
    struct buf sql = BUF_INIT;

    buf_addf(&sql, "%s ", verb);
    ident_add(&sql, database);
    c->timeout_ms = timeout_ms;
    bool ok = conn_command(c, sql.data, err);
    c->timeout_ms = 0;
    buf_release(&sql);
    return ok;
}

/* Errors have no SQLSTATE of their own there: it says "database shop is not paused". */
static bool forgive(bool ok, const char *words, struct err *own, struct err *err)
{
    if (!ok && own->message && strstr(own->message, words)) {
        err_clear(own);
        return true;
    }
    if (!ok)
        err_move(err, own);
    return ok;
}

#define SHORT_MS 30000

bool bouncer_pause(struct conn *c, const char *database, int timeout_ms, struct err *err)
{
    struct err own = ERR_INIT;
    bool ok = command(c, "PAUSE", database, timeout_ms, &own);

    if (!ok && own.code == ERR_TIMEOUT)
        err_hint(&own, "A client holds a transaction open (with session pooling: a session).");
    return forgive(ok, "already", &own, err);
}

bool bouncer_resume(struct conn *c, const char *database, struct err *err)
{
    struct err own = ERR_INIT;

    return forgive(command(c, "RESUME", database, SHORT_MS, &own), "not paused", &own, err);
}

bool bouncer_reload(struct conn *c, struct err *err)
{
    c->timeout_ms = SHORT_MS;
    bool ok = conn_command(c, "RELOAD", err);
    c->timeout_ms = 0;
    return ok;
}

static const char *column(const PGresult *res, int row, const char *name)
{
    int at = PQfnumber(res, name);

    return at < 0 ? "" : PQgetvalue(res, row, at);
}

bool bouncer_leads_to(struct conn *c, const char *database, const char *host, const char *port, const char *dbname,
                      struct err *err)
{
    PGresult *res = conn_exec(c, "SHOW DATABASES", err);
    bool found = false, ok = false;

    for (int row = 0; res && row < PQntuples(res) && !found; row++) {
        if (strcmp(column(res, row, "name"), database) != 0)
            continue;
        found = true;
        ok = strcmp(column(res, row, "host"), host) == 0 && strcmp(column(res, row, "port"), port) == 0 &&
             strcmp(column(res, row, "database"), dbname) == 0;
        if (!ok) {
            err_set(err, ERR_PREREQUISITE, "%s: database \"%s\" leads to %s:%s/%s, not to %s:%s/%s", c->label, database,
                    column(res, row, "host"), column(res, row, "port"), column(res, row, "database"), host, port, dbname);
            err_hint(err, "Is it another configuration file that this PgBouncer reads?");
        }
    }
    if (res && !found)
        err_set(err, ERR_PREREQUISITE, "%s: it has no database \"%s\"", c->label, database);
    PQclear(res);
    return ok;
}
