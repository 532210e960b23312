/* How it works: one process, as many pieces of tables under way as there are pairs; the servers do the work, and a poll() on
 * all the sockets says who has finished. A table that was begun is finished before another one is, as far as
 * there are pieces left: its answer comes early, and few are open at a time. */
#include "verify/pool.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/stop.h"
#include "load/snapshot.h"
#include "verify/run.h"

/* A table of which pieces are left or under way. */
struct open_table {
    struct verify_pieces pieces;
    size_t index;
    int busy;    /* pieces that are under way */
    bool failed; /* told: the pieces that are left are not read */
    struct open_table *next;
};

struct lane {
    struct verify_run run;
    struct open_table *table; /* NULL: idle */
};

struct running {
    const struct verify_pool *pool;
    struct lane *lanes;       /* owned, one a pair */
    struct pollfd *fds;       /* owned, two a pair and one */
    struct open_table *open;  /* owned */
    int pause_ms;             /* 0: nobody asks for one */
    bool no_more;             /* `next` has said so */
};

/* --- tables --- */

static struct open_table *open_table(struct running *r, size_t index)
{
    struct open_table *table = xcalloc(1, sizeof *table);

    table->index = index;
    table->next = r->open;
    r->open = table;
    return table;
}

static void close_table(struct running *r, struct open_table *table)
{
    struct open_table **at = &r->open;

    while (*at != table)
        at = &(*at)->next;
    *at = table->next;
    verify_pieces_end(&table->pieces);
    free(table);
}

static struct open_table *table_with_pieces(const struct running *r)
{
    struct open_table *table = r->open;

    while (table && (table->failed || table->pieces.begun == table->pieces.count))
        table = table->next;
    return table;
}

static void tell_read(const struct running *r, const struct open_table *table, bool done)
{
    if (r->pool->reads)
        r->pool->reads(r->pool->arg, table->index, r->pool->jobs[table->index].bytes / table->pieces.count, done);
}

/* --- errors --- */

/* An error of the pair, not of the table: nothing else can be compared either. */
static bool is_fatal(const struct verify_pair *pair, const struct err *err)
{
    return err->code == ERR_STOPPED || err->code == ERR_CONNECTION || !conn_is_open(pair->src) ||
           !conn_is_open(pair->dst) || (err->retryable && snapshot_is_gone(err));
}

/* The lane's table has failed, by own (taken); it is told once. */
static bool fail(struct running *r, struct lane *lane, struct err *own, struct err *err)
{
    if (is_fatal(&r->pool->pairs[lane - r->lanes], own)) {
        err_move(err, own);
        return false;
    }
    if (!lane->table->failed)
        r->pool->failed(r->pool->arg, lane->table->index, own);
    lane->table->failed = true;
    err_clear(own);
    return true;
}

/* --- pieces --- */

/* The lane is idle afterwards, and its table gone when this was the last piece. */
static void leave(struct running *r, struct lane *lane)
{
    struct open_table *table = lane->table;

    verify_run_end(&lane->run);
    lane->table = NULL;
    if (--table->busy == 0 && (table->failed || table->pieces.left == 0))
        close_table(r, table);
}

static bool finish(struct running *r, struct lane *lane, struct err *err)
{
    struct open_table *table = lane->table;
    struct err own = ERR_INIT;
    bool ok = verify_run_finish(&lane->run, &own) || fail(r, lane, &own, err);

    if (ok && !table->failed) {
        tell_read(r, table, true);
        if (!table->pieces.left)
            r->pool->compared(r->pool->arg, table->index, &table->pieces.result);
    }
    leave(r, lane);
    return ok;
}

/* A piece of a table that is open, or the first one of another. */
static bool begin_piece(struct running *r, struct lane *lane, struct open_table *table, struct err *err)
{
    const struct verify_pool *pool = r->pool;
    const struct verify_pair *pair = &pool->pairs[lane - r->lanes];
    struct err own = ERR_INIT;
    bool is_new = !table->pieces.count;

    lane->table = table;
    table->busy++;
    if ((!is_new || verify_pieces_begin(&table->pieces, pair->src, pair->dst, &pool->jobs[table->index],
                                        pool->piece_bytes, &own)) &&
        verify_run_begin(&lane->run, &table->pieces, pair->src, pair->dst, &own)) {
        tell_read(r, table, false);
        return true;
    }
    bool ok = fail(r, lane, &own, err);
    leave(r, lane);
    snapshot_end(pair->src); /* also when no run came to be */
    snapshot_end(pair->dst);
    return ok;
}

/* Gives an idle pair its next piece. */
static bool begin(struct running *r, struct lane *lane, struct err *err)
{
    const struct verify_pool *pool = r->pool;
    struct open_table *table = table_with_pieces(r);

    if (!table && r->no_more)
        return true;
    r->pause_ms = pool->pause ? pool->pause(pool->arg) : 0;
    if (r->pause_ms)
        return true;
    if (!table) {
        long index = pool->next(pool->arg);
        r->no_more = index < 0;
        if (r->no_more)
            return true;
        table = open_table(r, (size_t)index);
    }
    return begin_piece(r, lane, table, err);
}

static bool has_work(const struct running *r)
{
    return !r->no_more || table_with_pieces(r);
}

static bool begin_all(struct running *r, struct err *err)
{
    r->pause_ms = 0;
    for (size_t i = 0; i < r->pool->pair_count; i++)
        while (!r->lanes[i].table && !r->pause_ms && has_work(r))
            if (!begin(r, &r->lanes[i], err))
                return false;
    return true;
}

/* --- the whole --- */

static bool wait_for_any(struct running *r, struct err *err)
{
    nfds_t count = 0;

    for (size_t i = 0; i < r->pool->pair_count; i++) {
        const struct lane *lane = &r->lanes[i];
        if (!lane->table)
            continue;
        if (!lane->run.sql[0])
            return true; /* nothing to wait for */
        for (int side = 0; side < 2; side++)
            r->fds[count++] = (struct pollfd){.fd = PQsocket(lane->run.ends[side].c->pg), .events = POLLIN};
    }
    r->fds[count++] = (struct pollfd){.fd = stop_fd(), .events = POLLIN};
    if (poll(r->fds, count, r->pause_ms ? r->pause_ms : -1) < 0 && errno != EINTR) {
        err_errno(err, "could not wait for the servers");
        return false;
    }
    return !stop_check(err);
}

static bool finish_some(struct running *r, struct err *err)
{
    for (size_t i = 0; i < r->pool->pair_count; i++)
        if (r->lanes[i].table && verify_run_is_over(&r->lanes[i].run) && !finish(r, &r->lanes[i], err))
            return false;
    return true;
}

static bool run(struct running *r, struct err *err)
{
    while (begin_all(r, err)) {
        if (!r->open && !has_work(r))
            return true;
        if (!wait_for_any(r, err) || !finish_some(r, err))
            return false;
    }
    return false;
}

bool verify_pool_run(const struct verify_pool *pool, struct err *err)
{
    struct running r = {.pool = pool, .lanes = xcalloc(pool->pair_count + 1, sizeof *r.lanes),
                        .fds = xcalloc(2 * pool->pair_count + 1, sizeof *r.fds)};
    bool ok = run(&r, err);

    for (size_t i = 0; i < pool->pair_count; i++)
        if (r.lanes[i].table)
            leave(&r, &r.lanes[i]);
    while (r.open)
        close_table(&r, r.open);
    free(r.lanes);
    free(r.fds);
    return ok;
}
