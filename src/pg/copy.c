#include "pg/copy.h"

#include <stdlib.h>
#include <string.h>

static bool begin(struct conn *c, const char *sql, ExecStatusType want, struct err *err)
{
    PGresult *res = conn_exec(c, sql, err);
    bool ok = res && PQresultStatus(res) == want;

    if (res && !ok)
        err_set(err, ERR_INTERNAL, "%s: not a COPY statement: %s", c->label, sql);
    PQclear(res);
    return ok;
}

bool copy_out_begin(struct conn *c, const char *sql, struct err *err)
{
    return begin(c, sql, PGRES_COPY_OUT, err);
}

/* Reads what follows the stream: exactly one good result, then nothing. */
static bool finish(struct conn *c, int64_t *rows, struct err *err)
{
    bool ok = true;
    PGresult *res;

    do {
        if (!conn_next_result(c, &res, ok ? err : NULL))
            return false;
        if (res && ok && PQresultStatus(res) != PGRES_COMMAND_OK) {
            conn_error(c, res, NULL, err);
            ok = false;
        } else if (res && rows) {
            *rows = atoll(PQcmdTuples(res));
        }
        PQclear(res);
    } while (res);
    return ok;
}

int copy_out_next(struct conn *c, char **data, int *len, struct err *err)
{
    for (;;) {
        int got = PQgetCopyData(c->pg, data, 1);
        if (got > 0) {
            *len = got;
            return 1;
        }
        if (got == -1)
            return finish(c, NULL, err) ? 0 : -1;
        if (got == -2) {
            conn_error(c, NULL, NULL, err);
            return -1;
        }
        int ready = conn_wait(c, false, c->timeout_ms ? c->timeout_ms : -1, -1, err);
        if (ready == 0)
            err_set(err, ERR_TIMEOUT, "%s: no data within %d ms", c->label, c->timeout_ms);
        if (ready <= 0)
            return -1;
        if (!PQconsumeInput(c->pg)) {
            conn_error(c, NULL, NULL, err);
            return -1;
        }
    }
}

bool copy_in_begin(struct conn *c, const char *sql, struct err *err)
{
    return begin(c, sql, PGRES_COPY_IN, err);
}

/* The server may have refused a row already: its error is waiting behind the stream. */
static void stream_error(struct conn *c, struct err *err)
{
    if (PQstatus(c->pg) == CONNECTION_OK && PQputCopyEnd(c->pg, "given up") >= 0 &&
        conn_flush(c, err) && finish(c, NULL, err))
        err_set(err, ERR_INTERNAL, "%s: the COPY stream failed without an error", c->label);
    else if (!err_is_set(err))
        conn_error(c, NULL, NULL, err);
}

bool copy_in_put(struct conn *c, const char *data, int len, struct err *err)
{
    for (;;) {
        int put = PQputCopyData(c->pg, data, len);
        if (put > 0)
            break;
        if (put < 0) {
            stream_error(c, err);
            return false;
        }
        if (!conn_flush(c, err))
            return false;
    }
    /* Flush only what the socket takes; libpq's buffer is bounded by the flush above. */
    if (PQflush(c->pg) > 0)
        return conn_flush(c, err);
    return true;
}

bool copy_in_end(struct conn *c, int64_t *rows, struct err *err)
{
    int put;

    while ((put = PQputCopyEnd(c->pg, NULL)) == 0)
        if (!conn_flush(c, err))
            return false;
    if (put < 0) {
        stream_error(c, err);
        return false;
    }
    return conn_flush(c, err) && finish(c, rows, err);
}

void copy_in_abort(struct conn *c, const char *why)
{
    if (!conn_is_open(c))
        return;
    if (PQputCopyEnd(c->pg, why) >= 0 && conn_flush(c, NULL))
        finish(c, NULL, NULL);
}
