#include "load/slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "sql/sql.h"

#define DROP_WAIT_MS 15000

static lsn_t lsn_at(const PGresult *res, int column)
{
    lsn_t lsn = LSN_INVALID;

    if (!PQgetisnull(res, 0, column))
        lsn_parse(PQgetvalue(res, 0, column), &lsn);
    return lsn;
}

/* holder (may be NULL): who uses the slot, in words; owned by the caller. */
static bool read_state(struct conn *src, const char *name, struct slot_state *state, char **holder,
                       struct err *err)
{
    PGresult *res = conn_exec_params(src, src->version >= 100000 ? sql_load_slot_state
                                                                 : sql_load_slot_state_pg96,
                                     1, &name, err);

    *state = (struct slot_state){0};
    if (!res)
        return false;
    if (PQntuples(res) > 0) {
        state->exists = true;
        state->active = *PQgetvalue(res, 0, 0) == 't';
        state->active_pid = atoi(PQgetvalue(res, 0, 1));
        state->restart_lsn = lsn_at(res, 2);
        state->confirmed_flush_lsn = lsn_at(res, 3);
        snprintf(state->wal_status, sizeof state->wal_status, "%s", PQgetvalue(res, 0, 4));
        state->retained_bytes = atoll(PQgetvalue(res, 0, 5));
        state->ours = *PQgetvalue(res, 0, 6) == 't';
        if (holder)
            str_replace(holder, PQgetvalue(res, 0, 7));
    }
    PQclear(res);
    return true;
}

bool slot_state(struct conn *src, const char *name, struct slot_state *state, struct err *err)
{
    return read_state(src, name, state, NULL, err);
}

static bool end_walsender(struct conn *src, int pid, struct err *err)
{
    char text[16];
    const char *value = text;

    snprintf(text, sizeof text, "%d", pid);
    return conn_command_params(src, "SELECT pg_catalog.pg_terminate_backend($1::pg_catalog.int4)", 1,
                               &value, err);
}

/* Another process may take the slot, or drop it, between the look and the act. */
static bool try_drop(struct conn *src, const char *name, struct err *err)
{
    struct err failed = ERR_INIT;

    if (conn_command_params(src, "SELECT pg_catalog.pg_drop_replication_slot($1)", 1, &name, &failed))
        return true;
    bool passing = strcmp(failed.sqlstate, "42704") == 0 || strcmp(failed.sqlstate, "55006") == 0;
    if (!passing)
        err_move(err, &failed);
    err_clear(&failed);
    return passing;
}

static bool drop_step(struct conn *src, const char *name, const struct slot_state *state,
                      const char *holder, struct err *err)
{
    if (!state->active)
        return try_drop(src, name, err);
    if (state->ours)
        return end_walsender(src, state->active_pid, err);
    err_set(err, ERR_CONFLICT, "%s: replication slot \"%s\" is in use by %s", src->label, name, holder);
    err_hint(err, "End that process, then run SELECT pg_drop_replication_slot('%s').", name);
    return false;
}

bool slot_drop(struct conn *src, const char *name, struct err *err)
{
    int64_t until = clock_mono_ms() + DROP_WAIT_MS;
    struct slot_state state;
    char *holder = NULL;
    bool ok;

    while ((ok = read_state(src, name, &state, &holder, err)) && state.exists) {
        ok = drop_step(src, name, &state, holder, err);
        if (!ok)
            break;
        if (clock_mono_ms() > until) {
            err_set(err, ERR_TIMEOUT, "%s: could not drop replication slot \"%s\" within %d s: in use by %s",
                    src->label, name, DROP_WAIT_MS / 1000, holder);
            if (err)
                err->retryable = true;
            ok = false;
            break;
        }
        if (state.active && !(ok = stop_sleep(100, err)))
            break;
    }
    free(holder);
    return ok;
}

bool slot_blockers(struct conn *src, struct buf *text, struct err *err)
{
    PGresult *res = conn_exec(src, sql_load_slot_blockers, err);

    for (int i = 0; res && i < PQntuples(res); i++)
        buf_addf(text, "%s\n", PQgetvalue(res, i, 0));
    PQclear(res);
    return res != NULL;
}
