#include "cutover/fence.h"

#include <stdlib.h>

#include "pg/ident.h"

static bool no_prepared(struct conn *src, struct err *err)
{
    char *gid = NULL;

    if (!conn_scalar(src, "SELECT gid FROM pg_catalog.pg_prepared_xacts"
                          " WHERE database = pg_catalog.current_database() ORDER BY prepared", 0, NULL, &gid, err))
        return false;
    if (gid) {
        err_set(err, ERR_PREREQUISITE, "%s: transaction \"%s\" is prepared and would be lost", src->label, gid);
        err_hint(err, "COMMIT PREPARED or ROLLBACK PREPARED it first.");
    }
    bool ok = !gid;
    free(gid);
    return ok;
}

/* 9.5 has no messages: the commit of a transaction that has an id but did nothing is a record in the WAL too. It is
 * not sent, but once the WAL sender has passed it, it sends its position (WalSndWaitForWal() in PostgreSQL's
 * walsender.c), and a position is all that is wanted. */
static bool emit_nothing(struct conn *src, struct err *err)
{
    return conn_command(src, "SELECT pg_catalog.txid_current()", err);
}

static bool emit(struct conn *src, const char *text, struct err *err)
{
    return conn_command_params(src, "SELECT pg_catalog.pg_logical_emit_message(true, 'pgcutover', $1::pg_catalog.text)",
                               1, &text, err);
}

/* READ WRITE: the database may be frozen. Only this server's disk is waited for, no standby. */
bool heartbeat_emit(struct conn *src, const char *text, struct err *err)
{
    bool ok = conn_command(src, "BEGIN READ WRITE", err) &&
              conn_command(src, "SET LOCAL synchronous_commit = local", err) &&
              (src->version < 90600 ? emit_nothing(src, err) : emit(src, text, err)) &&
              conn_command(src, "COMMIT", err);

    if (!ok)
        conn_rollback(src);
    return ok;
}

bool fence_lsn(struct conn *src, lsn_t *lsn, struct err *err)
{
    char *text = NULL;
    bool ok = no_prepared(src, err) &&
              conn_scalar(src, src->version >= 100000 ? "SELECT pg_catalog.pg_current_wal_insert_lsn()"
                                                    : "SELECT pg_catalog.pg_current_xlog_insert_location()",
                          0, NULL, &text, err);

    if (ok && !(text && lsn_parse(text, lsn))) {
        err_set(err, ERR_PROTOCOL, "%s: not a WAL position: \"%s\"", src->label, text ? text : "");
        ok = false;
    }
    free(text);
    return ok && heartbeat_emit(src, "fence", err);
}
