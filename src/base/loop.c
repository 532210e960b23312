#include "base/loop.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xalloc.h"

struct watch {
    int fd; /* -1: unwatched, swept after the turn */
    short events;
    loop_fd_fn *fn;
    void *arg;
};

struct timer {
    int interval_ms;
    int64_t due_ms;
    loop_timer_fn *fn;
    void *arg;
};

struct loop {
    struct watch *watches;
    size_t watch_count, watch_cap;
    struct timer *timers;
    size_t timer_count, timer_cap;
    struct pollfd *pfds;
    size_t pfd_cap;
};

struct loop *loop_new(void)
{
    return xcalloc(1, sizeof(struct loop));
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    free(loop->watches);
    free(loop->timers);
    free(loop->pfds);
    free(loop);
}

static struct watch *find(struct loop *loop, int fd)
{
    for (size_t i = 0; i < loop->watch_count; i++)
        if (loop->watches[i].fd == fd)
            return &loop->watches[i];
    return NULL;
}

void loop_watch(struct loop *loop, int fd, short events, loop_fd_fn *fn, void *arg)
{
    struct watch *watch = find(loop, fd);

    if (!watch) {
        loop->watches = xgrow(loop->watches, loop->watch_count, &loop->watch_cap,
                              sizeof *loop->watches);
        watch = &loop->watches[loop->watch_count++];
    }
    *watch = (struct watch){.fd = fd, .events = events, .fn = fn, .arg = arg};
}

void loop_unwatch(struct loop *loop, int fd)
{
    struct watch *watch = fd >= 0 ? find(loop, fd) : NULL;

    if (watch)
        watch->fd = -1;
}

void loop_every(struct loop *loop, int interval_ms, loop_timer_fn *fn, void *arg)
{
    loop->timers = xgrow(loop->timers, loop->timer_count, &loop->timer_cap, sizeof *loop->timers);
    loop->timers[loop->timer_count++] = (struct timer){.interval_ms = interval_ms,
                                                       .due_ms = clock_mono_ms() + interval_ms,
                                                       .fn = fn,
                                                       .arg = arg};
}

static void sweep(struct loop *loop)
{
    size_t kept = 0;

    for (size_t i = 0; i < loop->watch_count; i++)
        if (loop->watches[i].fd >= 0)
            loop->watches[kept++] = loop->watches[i];
    loop->watch_count = kept;
}

static int wait_ms(const struct loop *loop)
{
    int64_t now = clock_mono_ms();
    int64_t least = -1;

    for (size_t i = 0; i < loop->timer_count; i++) {
        int64_t left = loop->timers[i].due_ms - now;
        if (left < 0)
            left = 0;
        if (least < 0 || left < least)
            least = left;
    }
    return (int)least;
}

static void serve_timers(struct loop *loop)
{
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < loop->timer_count; i++) {
        struct timer *timer = &loop->timers[i];
        if (timer->due_ms > now)
            continue;
        timer->due_ms = now + timer->interval_ms;
        timer->fn(timer->arg);
    }
}

void loop_turn(struct loop *loop)
{
    size_t count;

    sweep(loop);
    count = loop->watch_count;
    if (count > loop->pfd_cap) {
        loop->pfd_cap = count * 2;
        loop->pfds = xrealloc(loop->pfds, loop->pfd_cap * sizeof *loop->pfds);
    }
    for (size_t i = 0; i < count; i++)
        loop->pfds[i] = (struct pollfd){.fd = loop->watches[i].fd,
                                        .events = loop->watches[i].events};
    int ready = poll(loop->pfds, count, wait_ms(loop));
    for (size_t i = 0; ready > 0 && i < count; i++) {
        /* A callback may have unwatched it, or put another in its place. */
        struct watch watch = loop->watches[i];
        if (loop->pfds[i].revents && watch.fd == loop->pfds[i].fd)
            watch.fn(watch.arg, loop->pfds[i].revents);
    }
    serve_timers(loop);
}
