#include "cutover/table_locks.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "cutover/freeze.h"
#include "pg/ident.h"
#include "sql/sql.h"

#define BATCH 200
#define FIRST_WAIT_MS 1000
#define LONGEST_WAIT_MS 10000

static bool lock_batch(struct conn *src, const struct lockable *tables, size_t count, struct err *err)
{
    struct buf sql = BUF_INIT;

    for (size_t i = 0; i < count; i++) {
        buf_addstr(&sql, i ? ", ONLY " : "LOCK TABLE ONLY ");
        ident_add_qualified(&sql, tables[i].schema, tables[i].name);
    }
    buf_addstr(&sql, " IN EXCLUSIVE MODE");
    bool ok = conn_command(src, sql.data, err);
    buf_release(&sql);
    return ok;
}

static bool lock_all(struct conn *src, const struct lockable *tables, size_t count, int wait_ms, struct err *err)
{
    char *timeout = xasprintf("SET LOCAL lock_timeout = %d", wait_ms);
    bool ok = conn_command(src, "BEGIN", err) && conn_command(src, timeout, err);

    free(timeout);
    for (size_t at = 0; ok && at < count; at += BATCH)
        ok = lock_batch(src, tables + at, count - at < BATCH ? count - at : BATCH, err);
    if (!ok)
        conn_rollback(src);
    return ok;
}

/* A lock that did not come in time, or only by ending somebody. */
static bool may_come(const struct err *err)
{
    return strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

static void name_writers(struct conn *src, const char *database, int wait_ms, struct err *err)
{
    struct buf text = BUF_INIT;

    writers_list(src, database, &text, NULL, NULL);
    err_clear(err);
    err_set(err, ERR_TIMEOUT, "%s: the tables of database \"%s\" could not be locked within %d s", src->label, database,
            (wait_ms + 999) / 1000);
    err_detail(err, "%s", text.len ? text.data : "Nobody is seen to write now.");
    err_hint(err, "End the transactions that hold tables for long, and cut over again.");
    buf_release(&text);
}

static void explain(struct err *err)
{
    if (strcmp(err->sqlstate, "42501") == 0)
        err_hint(err, "cutover.stopWrites \"lock\" wants UPDATE, DELETE or TRUNCATE on every table.");
    else if (strcmp(err->sqlstate, "53200") == 0)
        err_hint(err, "Every table takes a place in the source's lock table: raise max_locks_per_transaction, or choose another "
                      "cutover.stopWrites.");
}

bool table_locks_take(struct conn *src, const char *database, const struct lockable *tables, size_t count, int wait_ms,
                      struct err *err)
{
    int64_t until = clock_mono_ms() + wait_ms;

    for (int one_ms = FIRST_WAIT_MS;; one_ms = one_ms < LONGEST_WAIT_MS / 2 ? one_ms * 2 : LONGEST_WAIT_MS) {
        int64_t left = until - clock_mono_ms();
        if (lock_all(src, tables, count, left > 0 && left < one_ms ? (int)left : one_ms, err))
            return true;
        if (!may_come(err)) {
            explain(err);
            return false;
        }
        if (clock_mono_ms() + FIRST_WAIT_MS >= until) {
            name_writers(src, database, wait_ms, err);
            return false;
        }
        err_clear(err);
        if (!stop_sleep(FIRST_WAIT_MS, err))
            return false;
    }
}

static bool end_one(struct conn *src, const char *pid, const char *line, struct buf *ended, struct buf *left, struct err *err)
{
    struct err own = ERR_INIT;

    if (conn_command_params(src, "SELECT pg_catalog.pg_terminate_backend($1)", 1, &pid, &own)) {
        buf_addf(ended, "%s\n", line);
        return true;
    }
    if (own.code != ERR_SERVER) {
        err_move(err, &own);
        return false;
    }
    buf_addf(left, "%s: %s\n", line, own.message);
    err_clear(&own);
    return true;
}

bool table_locks_end_waiting(struct conn *src, const char *holder, struct buf *ended, struct buf *left, bool *held,
                             struct err *err)
{
    PGresult *res = conn_exec_params(src, sql_cutover_waiting, 1, &holder, err);
    bool ok = res != NULL;

    buf_clear(left);
    for (int i = 0; ok && i < PQntuples(res); i++)
        ok = PQgetisnull(res, i, 0) || end_one(src, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1), ended, left, err);
    if (ok)
        *held = PQntuples(res) > 0;
    PQclear(res);
    return ok;
}
