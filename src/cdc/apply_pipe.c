/* How it works: a ring of what was sent and not yet answered. When it is full (by number or by bytes),
 * the server is asked to send its results (Flush), and results are read until half of the window is
 * free: so the server always has work while the next half is being sent.
 *
 * Both sides' buffers may be full at once; so libpq is non-blocking, and whoever waits also sends and
 * reads, on every pipe that there is (wait). Nothing here waits for time to pass. */
#include "cdc/apply_pipe.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/stop.h"
#include "base/xalloc.h"

static bool enter(struct conn *conn, struct err *err)
{
    PQsetnonblocking(conn->pg, 1);
    if (PQenterPipelineMode(conn->pg))
        return true;
    conn_error(conn, NULL, NULL, err);
    return false;
}

bool apply_pipe_begin(struct apply_pipe *pipe, struct conn *conn, struct err *err)
{
    pipe->conn = conn;
    return enter(conn, err);
}

static void forget(struct apply_pipe *pipe)
{
    for (; pipe->count; pipe->count--) {
        struct apply_statement *statement = pipe->entries[pipe->head].statement;
        if (statement)
            statement->in_flight--;
        free(pipe->entries[pipe->head].row);
        pipe->head = (pipe->head + 1) % pipe->cap;
    }
    pipe->head = pipe->bytes = pipe->unasked = 0;
    PQclear(pipe->answer);
    pipe->answer = NULL;
}

void apply_pipe_end(struct apply_pipe *pipe)
{
    if (pipe->conn && conn_is_open(pipe->conn))
        PQexitPipelineMode(pipe->conn->pg);
    forget(pipe);
    free(pipe->entries);
    pipe->entries = NULL;
    pipe->cap = 0;
}

/* --- sending --- */

static void grow(struct apply_pipe *pipe)
{
    size_t cap = pipe->cap ? pipe->cap * 2 : 64;
    struct pipe_entry *entries = xmalloc(cap * sizeof *entries);

    for (size_t i = 0; i < pipe->count; i++)
        entries[i] = pipe->entries[(pipe->head + i) % pipe->cap];
    free(pipe->entries);
    pipe->entries = entries;
    pipe->head = 0;
    pipe->cap = cap;
}

struct pipe_entry *apply_pipe_add(struct apply_pipe *pipe, enum pipe_what what)
{
    if (pipe->count == pipe->cap)
        grow(pipe);
    struct pipe_entry *entry = &pipe->entries[(pipe->head + pipe->count++) % pipe->cap];
    memset(entry, 0, offsetof(struct pipe_entry, key));
    entry->key[0] = '\0';
    entry->what = what;
    pipe->unasked++;
    return entry;
}

bool apply_pipe_send(struct apply_pipe *pipe, const char *sql, struct err *err)
{
    if (!apply_pipe_room(pipe, 0, err))
        return false;
    if (!PQsendQueryParams(pipe->conn->pg, sql, 0, NULL, NULL, NULL, NULL, 0)) {
        conn_error(pipe->conn, NULL, sql, err);
        return false;
    }
    apply_pipe_add(pipe, PIPE_OTHER)->sql = sql;
    return true;
}

bool apply_pipe_push(struct apply_pipe *pipe, struct err *err)
{
    if (pipe->unasked && !PQsendFlushRequest(pipe->conn->pg)) {
        conn_error(pipe->conn, NULL, NULL, err);
        return false;
    }
    pipe->unasked = 0;
    PQflush(pipe->conn->pg); /* an error shows with the next result */
    return true;
}

/* --- receiving --- */

static struct pipe_entry take_head(struct apply_pipe *pipe)
{
    struct pipe_entry entry = pipe->entries[pipe->head];

    pipe->head = (pipe->head + 1) % pipe->cap;
    pipe->count--;
    pipe->bytes -= entry.bytes;
    if (entry.statement)
        entry.statement->in_flight--;
    return entry;
}

static bool judge(struct apply_pipe *pipe, const struct pipe_entry *entry, PGresult *res, struct err *err)
{
    ExecStatusType status = PQresultStatus(res);

    if (entry->what == PIPE_SYNC ? status == PGRES_PIPELINE_SYNC
                                 : status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        if (entry->what == PIPE_CHANGE || entry->rows)
            return pipe->judge(pipe->arg, entry, res, err);
        return true;
    }
    if (entry->what == PIPE_CHANGE)
        return pipe->judge(pipe->arg, entry, res, err);
    conn_error(pipe->conn, res, entry->sql, err);
    return false;
}

/* Reads what belongs to the oldest entry: one result, and the NULL behind it (none after a Sync). */
static bool read_one(struct apply_pipe *pipe, bool judging, struct err *err)
{
    bool sync = pipe->entries[pipe->head].what == PIPE_SYNC;
    PGresult *res;
    PGresult *end = NULL;
    bool ok = false;

    while (PQisBusy(pipe->conn->pg))
        if (!pipe->wait(pipe->arg, err))
            return false;
    if (!conn_next_result(pipe->conn, &res, err))
        return false;
    if (!res || (!sync && !conn_next_result(pipe->conn, &end, err)) || end) {
        if (!err_is_set(err))
            conn_error(pipe->conn, res, NULL, err);
        PQclear(end);
        PQclear(res);
        return false;
    }
    struct pipe_entry entry = take_head(pipe);
    ok = !judging || judge(pipe, &entry, res, err);
    free(entry.row);
    if (ok && entry.what == PIPE_ANSWER) {
        PQclear(pipe->answer);
        pipe->answer = res;
        res = NULL;
    }
    PQclear(res);
    return ok;
}

static bool read_until(struct apply_pipe *pipe, size_t count, size_t bytes, struct err *err)
{
    if (pipe->count <= count && pipe->bytes <= bytes)
        return true;
    if (!apply_pipe_push(pipe, err))
        return false;
    while (pipe->count && (pipe->count > count || pipe->bytes > bytes))
        if (!read_one(pipe, true, err))
            return false;
    return true;
}

bool apply_pipe_room(struct apply_pipe *pipe, size_t bytes, struct err *err)
{
    if (pipe->count < pipe->max_count && pipe->bytes + bytes <= pipe->max_bytes)
        return true;
    size_t half = pipe->max_bytes / 2;
    return read_until(pipe, pipe->max_count / 2, bytes < half ? half : 0, err);
}

bool apply_pipe_drain(struct apply_pipe *pipe, struct err *err)
{
    return read_until(pipe, 0, 0, err);
}

bool apply_pipe_send_sync(struct apply_pipe *pipe, struct err *err)
{
    if (!PQpipelineSync(pipe->conn->pg)) {
        conn_error(pipe->conn, NULL, NULL, err);
        return false;
    }
    apply_pipe_add(pipe, PIPE_SYNC);
    pipe->unasked = 0; /* with a Sync all results come */
    return true;
}

bool apply_pipe_sync(struct apply_pipe *pipe, struct err *err)
{
    return apply_pipe_send_sync(pipe, err) && apply_pipe_drain(pipe, err);
}

bool apply_pipe_try(struct apply_pipe *pipe, struct err *err)
{
    struct err ignored = ERR_INIT;
    bool ok = true;

    if (!apply_pipe_send_sync(pipe, err) || !apply_pipe_push(pipe, err))
        return false;
    while (pipe->count) {
        bool good = read_one(pipe, ok, ok ? err : &ignored);
        err_clear(&ignored);
        if (!good && (!ok || !conn_is_open(pipe->conn) || stop_requested()))
            return false;
        ok = ok && good;
    }
    return ok;
}

PGresult *apply_pipe_query(struct apply_pipe *pipe, const char *sql, int count, const char *const *values,
                           struct err *err)
{
    PGresult *answer;

    if (!apply_pipe_room(pipe, 0, err))
        return NULL;
    if (!PQsendQueryParams(pipe->conn->pg, sql, count, NULL, values, NULL, NULL, 0)) {
        conn_error(pipe->conn, NULL, sql, err);
        return NULL;
    }
    apply_pipe_add(pipe, PIPE_ANSWER)->sql = sql;
    if (!apply_pipe_drain(pipe, err))
        return NULL;
    answer = pipe->answer;
    pipe->answer = NULL;
    return answer;
}

/* --- after an error --- */

static bool read_rest(struct apply_pipe *pipe, struct err *err)
{
    if (!PQpipelineSync(pipe->conn->pg))
        return false;
    apply_pipe_add(pipe, PIPE_SYNC);
    if (!conn_flush(pipe->conn, err))
        return false;
    while (pipe->count)
        if (!read_one(pipe, false, err))
            return false;
    return true;
}

bool apply_pipe_recover(struct apply_pipe *pipe)
{
    struct err err = ERR_INIT;
    bool ok = false;

    if (!conn_is_open(pipe->conn) || stop_requested())
        goto out;
    ok = read_rest(pipe, &err) && PQexitPipelineMode(pipe->conn->pg) &&
         conn_command(pipe->conn, "ROLLBACK", &err) &&
         conn_command(pipe->conn, "DEALLOCATE ALL", &err) && enter(pipe->conn, &err);
out:
    forget(pipe);
    err_clear(&err);
    return ok;
}
