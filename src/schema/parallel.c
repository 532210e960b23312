/* How it works: each connection runs one task at a time; one poll() waits for all of them, for a stop request,
 * and for the moment when a task that a lock was in the way of is tried again. */
#include "schema/parallel.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/xalloc.h"
#include "pg/recording.h"

struct lane {
    struct conn *conn;
    struct parallel_task *task; /* borrowed; NULL idle */
    bool refused;
    int64_t began_us; /* when its task was sent */
    struct err why;
};

struct parallel {
    struct lane *lanes;
    size_t lane_count;
    struct parallel_task *tasks;
    size_t count, left;
    int64_t now_ms; /* when what can was started last */
    void (*ended)(void *arg, const struct parallel_task *task);
    void *arg;
};

/* --- what runs next --- */

static bool has_company(const struct parallel *par, const char *alone)
{
    for (size_t i = 0; i < par->lane_count; i++)
        if (par->lanes[i].task && strcmp(par->lanes[i].task->alone, alone) == 0)
            return true;
    return false;
}

static struct parallel_task *next_task(const struct parallel *par)
{
    for (size_t i = 0; i < par->count; i++) {
        struct parallel_task *task = &par->tasks[i];
        if (!task->ended && !task->running && task->retry_ms <= par->now_ms && !has_company(par, task->alone))
            return task;
    }
    return NULL;
}

static bool start(struct lane *lane, struct parallel_task *task, struct err *err)
{
    task->running = true;
    task->tries++;
    lane->task = task;
    lane->refused = false;
    lane->began_us = clock_mono_us();
    if (PQsendQuery(lane->conn->pg, task->text))
        return conn_flush(lane->conn, err);
    conn_error(lane->conn, NULL, NULL, err);
    return false;
}

static bool start_what_can(struct parallel *par, struct err *err)
{
    par->now_ms = clock_mono_ms();
    for (size_t i = 0; i < par->lane_count; i++) {
        struct parallel_task *task = par->lanes[i].task ? NULL : next_task(par);
        if (task && !start(&par->lanes[i], task, err))
            return false;
    }
    return true;
}

/* --- what has ended --- */

static void end_task(struct parallel *par, struct parallel_task *task, bool refused)
{
    task->ended = true;
    task->refused = refused;
    par->left--;
    if (!refused)
        refusal_release(&task->refusal); /* of an earlier try */
    if (par->ended)
        par->ended(par->arg, task);
}

static bool end_try(struct parallel *par, struct lane *lane, struct err *err)
{
    struct parallel_task *task = lane->task;

    lane->task = NULL;
    task->running = false;
    recording_note(lane->conn, task->text, 0, NULL, lane->began_us, NULL, lane->refused ? task->refusal.sqlstate : NULL);
    if (!lane->refused) {
        end_task(par, task, false);
        return true;
    }
    if (!conn_is_open(lane->conn) || refusal_ends_session(&task->refusal)) {
        err_move(err, &lane->why);
        if (err) {
            err->code = ERR_CONNECTION;
            err->retryable = true;
        }
        return false;
    }
    conn_rollback(lane->conn);
    int pause_ms = refusal_may_pass(&task->refusal) ? refusal_pause_ms(task->tries) : -1;
    if (pause_ms < 0)
        end_task(par, task, true);
    else
        task->retry_ms = clock_mono_ms() + pause_ms;
    return true;
}

static void take_result(struct lane *lane, const PGresult *res)
{
    ExecStatusType status = PQresultStatus(res);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || lane->refused)
        return;
    lane->refused = true;
    refusal_take(&lane->task->refusal, res);
    err_clear(&lane->why);
    conn_error(lane->conn, res, NULL, &lane->why);
}

/* Takes what has arrived; never waits. */
static bool lane_step(struct parallel *par, struct lane *lane, struct err *err)
{
    if (!PQconsumeInput(lane->conn->pg)) {
        conn_error(lane->conn, NULL, NULL, err);
        return false;
    }
    while (lane->task && !PQisBusy(lane->conn->pg)) {
        PGresult *res = PQgetResult(lane->conn->pg);
        if (res)
            take_result(lane, res);
        else if (!end_try(par, lane, err))
            return false;
        PQclear(res);
    }
    return true;
}

/* --- waiting --- */

/* Until the first task may be tried again; -1: none waits for that. Who could have been started, but found no idle
 * connection, waits for one. */
static int wait_ms(const struct parallel *par)
{
    int64_t first = -1;

    for (size_t i = 0; i < par->count; i++) {
        const struct parallel_task *task = &par->tasks[i];
        if (task->ended || task->running || task->retry_ms <= par->now_ms)
            continue;
        if (first < 0 || task->retry_ms < first)
            first = task->retry_ms;
    }
    int64_t left = first - clock_mono_ms();
    return first < 0 ? -1 : left < 0 ? 0 : (int)left;
}

static bool wait_for_any(struct parallel *par, struct pollfd *pfds, struct err *err)
{
    size_t n = par->lane_count;

    for (size_t i = 0; i < n; i++)
        pfds[i] = (struct pollfd){.fd = par->lanes[i].task ? PQsocket(par->lanes[i].conn->pg) : -1,
                                  .events = POLLIN};
    pfds[n] = (struct pollfd){.fd = stop_fd(), .events = POLLIN};
    poll(pfds, n + 1, wait_ms(par));
    if (stop_check(err))
        return false;
    for (size_t i = 0; i < n; i++)
        if (pfds[i].revents && !lane_step(par, &par->lanes[i], err))
            return false;
    return true;
}

static void cancel_all(struct parallel *par)
{
    for (size_t i = 0; i < par->lane_count; i++) {
        if (!par->lanes[i].task)
            continue;
        conn_cancel(par->lanes[i].conn);
        conn_close(par->lanes[i].conn);
    }
}

bool parallel_run(struct conn *const *conns, size_t conn_count, struct parallel_task *tasks, size_t count,
                  void (*ended)(void *arg, const struct parallel_task *task), void *arg, struct err *err)
{
    struct parallel par = {.lanes = xcalloc(conn_count, sizeof *par.lanes), .lane_count = conn_count,
                           .tasks = tasks, .count = count, .left = count, .ended = ended, .arg = arg};
    struct pollfd *pfds = xcalloc(conn_count + 1, sizeof *pfds);
    bool ok = !stop_check(err);

    for (size_t i = 0; i < conn_count; i++)
        par.lanes[i].conn = conns[i];
    while (ok && par.left)
        ok = start_what_can(&par, err) && wait_for_any(&par, pfds, err);
    if (!ok)
        cancel_all(&par);
    for (size_t i = 0; i < conn_count; i++)
        err_clear(&par.lanes[i].why);
    free(pfds);
    free(par.lanes);
    return ok;
}
