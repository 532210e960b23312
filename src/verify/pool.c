/* How it works: one process, as many tables under way as there are pairs; the servers do the work, and a poll() on all
 * the sockets says who has finished. */
#include "verify/pool.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/stop.h"
#include "load/snapshot.h"
#include "verify/run.h"

struct lane {
    struct verify_run run;
    bool busy;
    size_t index;
};

struct running {
    const struct verify_pool *pool;
    struct lane *lanes;   /* owned, one a pair */
    struct pollfd *fds;   /* owned, two a pair and one */
    size_t busy_count;
    int pause_ms;         /* after which `next` wants to be asked again; 0: it has no more */
};

/* An error of the pair, not of the table: nothing else can be compared either. */
static bool is_fatal(const struct verify_pair *pair, const struct err *err)
{
    return err->code == ERR_STOPPED || err->code == ERR_CONNECTION || !conn_is_open(pair->src) ||
           !conn_is_open(pair->dst) || (err->retryable && snapshot_is_gone(err));
}

/* Takes own. */
static bool fail(struct running *r, size_t lane, size_t index, struct err *own, struct err *err)
{
    if (is_fatal(&r->pool->pairs[lane], own)) {
        err_move(err, own);
        return false;
    }
    r->pool->failed(r->pool->arg, index, own);
    err_clear(own);
    return true;
}

static bool finish(struct running *r, size_t i, struct err *err)
{
    struct lane *lane = &r->lanes[i];
    struct err own = ERR_INIT;
    bool ok = verify_run_finish(&lane->run, &own);

    if (ok)
        r->pool->compared(r->pool->arg, lane->index, &lane->run.result);
    verify_run_end(&lane->run);
    lane->busy = false;
    r->busy_count--;
    return ok || fail(r, i, lane->index, &own, err);
}

/* Gives an idle pair its next table. */
static bool begin(struct running *r, size_t i, struct err *err)
{
    const struct verify_pool *pool = r->pool;
    struct lane *lane = &r->lanes[i];
    struct err own = ERR_INIT;
    long index = pool->next(pool->arg, &r->pause_ms);

    if (index < 0)
        return true;
    r->pause_ms = -1; /* there may be more at once */
    lane->index = (size_t)index;
    if (!verify_run_begin(&lane->run, pool->pairs[i].src, pool->pairs[i].dst, &pool->jobs[index], &own)) {
        verify_run_end(&lane->run);
        return fail(r, i, lane->index, &own, err);
    }
    lane->busy = true;
    r->busy_count++;
    return true;
}

static bool begin_all(struct running *r, struct err *err)
{
    r->pause_ms = -1;
    for (size_t i = 0; i < r->pool->pair_count && r->pause_ms < 0; i++)
        while (!r->lanes[i].busy && r->pause_ms < 0)
            if (!begin(r, i, err))
                return false;
    return true;
}

static bool wait_for_any(struct running *r, struct err *err)
{
    nfds_t count = 0;

    for (size_t i = 0; i < r->pool->pair_count; i++) {
        const struct lane *lane = &r->lanes[i];
        if (!lane->busy)
            continue;
        if (!lane->run.from_sql)
            return true; /* nothing to wait for */
        r->fds[count++] = (struct pollfd){.fd = PQsocket(lane->run.cmp.from.c->pg), .events = POLLIN};
        r->fds[count++] = (struct pollfd){.fd = PQsocket(lane->run.cmp.to.c->pg), .events = POLLIN};
    }
    r->fds[count++] = (struct pollfd){.fd = stop_fd(), .events = POLLIN};
    if (poll(r->fds, count, r->pause_ms > 0 ? r->pause_ms : -1) < 0 && errno != EINTR) {
        err_errno(err, "could not wait for the servers");
        return false;
    }
    return !stop_check(err);
}

static bool finish_some(struct running *r, struct err *err)
{
    for (size_t i = 0; i < r->pool->pair_count; i++)
        if (r->lanes[i].busy && verify_run_is_over(&r->lanes[i].run) && !finish(r, i, err))
            return false;
    return true;
}

static bool run(struct running *r, struct err *err)
{
    while (begin_all(r, err)) {
        if (!r->busy_count && r->pause_ms == 0)
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
        if (r.lanes[i].busy)
            verify_run_end(&r.lanes[i].run);
    free(r.lanes);
    free(r.fds);
    return ok;
}
