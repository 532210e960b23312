/* Lanes: connections that work on one group side by side. Each holds a lock for as long as its session
 * lives, so that nothing of an earlier applier can still commit when the places are read. */
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/stop.h"
#include "base/xalloc.h"
#include "cdc/apply_internal.h"
#include "sql/sql.h"

#define WINDOW_STATEMENTS 1000
#define WINDOW_BYTES ((size_t)4 << 20)

/* --- waiting --- */

void apply_lanes_push(struct applier *applier)
{
    for (size_t i = 0; i < applier->lane_count; i++)
        PQflush(applier->lanes[i].conn->pg); /* an error shows with the next result */
}

/* All lanes at once: while one is waited for, the others get what is sent to them. */
static bool wait_for_lanes(void *arg, struct err *err)
{
    struct applier *applier = ((struct apply_lane *)arg)->applier;
    struct pollfd pfds[APPLIER_LANES_MAX + 1];
    size_t count = applier->lane_count;

    for (size_t i = 0; i < count; i++) {
        PGconn *pg = applier->lanes[i].conn->pg;
        short out = PQflush(pg) == 1 ? POLLOUT : 0;
        pfds[i] = (struct pollfd){.fd = PQsocket(pg), .events = POLLIN | out};
    }
    pfds[count] = (struct pollfd){.fd = stop_fd(), .events = POLLIN};
    if (stop_check(err))
        return false;
    if (poll(pfds, count + 1, -1) <= 0)
        return true;
    for (size_t i = 0; i < count; i++)
        if (pfds[i].revents && pfds[i].fd >= 0)
            PQconsumeInput(applier->lanes[i].conn->pg);
    return true;
}

/* --- open and close --- */

/* Lanes of an earlier applier that had more of them. */
static bool wait_for_others(struct applier *applier, struct err *err)
{
    struct conn *conn = applier->lanes[0].conn;
    PGresult *res = conn_exec(conn, sql_apply_lanes, err);
    bool ok = res != NULL;

    for (int row = 0; ok && row < PQntuples(res); row++) {
        int lane = atoi(PQgetvalue(res, row, 0));
        if ((size_t)lane >= applier->lane_count)
            ok = apply_lock(conn, lane, applier->options.lock_timeout_ms, err);
    }
    PQclear(res);
    return ok;
}

static bool open_lane(struct apply_lane *lane, struct err *err)
{
    const struct applier_options *options = &lane->applier->options;
    lsn_t start_lsn = options->start_lsn;

    if (!conn_command(lane->conn, sql_apply_session, err) ||
        !apply_lock(lane->conn, lane->number, options->lock_timeout_ms, err))
        return false;
    /* Lane 0 commits last: its durable commits make the others' durable too. */
    if (lane->number > 0 && !conn_command(lane->conn, "SET synchronous_commit = off", err))
        return false;
    return (lane->number == 0 && start_lsn == LSN_INVALID) ||
           apply_start_lane(lane->conn, lane->number, start_lsn ? start_lsn : 1, err);
}

bool apply_lanes_open(struct applier *applier, struct conn *targets, struct err *err)
{
    for (size_t i = 0; i < applier->lane_count; i++) {
        struct apply_lane *lane = &applier->lanes[i];
        *lane = (struct apply_lane){.applier = applier, .number = (int)i, .conn = &targets[i]};
        lane->cache.max = applier->options.max_statements;
        lane->pipe.max_count = WINDOW_STATEMENTS;
        lane->pipe.max_bytes = WINDOW_BYTES;
        lane->pipe.judge = apply_judge;
        lane->pipe.wait = wait_for_lanes;
        lane->pipe.arg = lane;
    }
    for (size_t i = 0; i < applier->lane_count; i++)
        if (!open_lane(&applier->lanes[i], err))
            return false;
    return wait_for_others(applier, err);
}

static void leave_session(struct apply_lane *lane)
{
    if (!conn_is_open(lane->conn))
        return;
    if (PQpipelineStatus(lane->conn->pg) != PQ_PIPELINE_OFF) {
        if (!apply_pipe_recover(&lane->pipe)) {
            conn_close(lane->conn);
            return;
        }
        PQexitPipelineMode(lane->conn->pg);
    }
    conn_command(lane->conn, "SELECT pg_catalog.pg_advisory_unlock_all()", NULL);
}

void apply_lanes_close(struct applier *applier)
{
    for (size_t i = 0; i < applier->lane_count; i++) {
        struct apply_lane *lane = &applier->lanes[i];
        if (!lane->conn)
            continue;
        leave_session(lane);
        apply_pipe_end(&lane->pipe);
    }
}

bool apply_lanes_are_usable(const struct applier *applier)
{
    for (size_t i = 0; i < applier->lane_count; i++)
        if (!conn_is_open(applier->lanes[i].conn))
            return false;
    return true;
}

/* Where one has not rolled back for sure, the others must not go on without it. */
bool apply_lanes_recover(struct applier *applier)
{
    bool ok = true;

    for (size_t i = 0; i < applier->lane_count; i++) {
        struct apply_lane *lane = &applier->lanes[i];
        ok = apply_pipe_recover(&lane->pipe) && ok;
        lane->open = lane->progress_prepared = false;
    }
    for (size_t i = 0; !ok && i < applier->lane_count; i++)
        conn_close(applier->lanes[i].conn);
    return ok;
}

/* --- talking --- */

bool apply_lane_begin(struct apply_lane *lane, struct err *err)
{
    if (lane->open)
        return true;
    if (!apply_pipe_send(&lane->pipe, "BEGIN ISOLATION LEVEL READ COMMITTED", err))
        return false;
    lane->open = true;
    /* In replica role their triggers do not fire; else they are checked as late as the source could. */
    return lane->conn->replica_role ||
           apply_pipe_send(&lane->pipe, "SET CONSTRAINTS ALL DEFERRED", err);
}

PGresult *apply_ask(struct applier *applier, const char *sql, int count, const char *const *values,
                    struct err *err)
{
    struct apply_lane *lane = &applier->lanes[0];
    PGresult *res = apply_pipe_query(&lane->pipe, sql, count, values, err);

    if (res && !lane->open && !apply_pipe_sync(&lane->pipe, err)) {
        PQclear(res);
        return NULL;
    }
    return res;
}
