/* The poll loop: descriptors and timers with callbacks, one thread. */
#ifndef PGC_BASE_LOOP_H
#define PGC_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* revents as of poll(2). */
typedef void loop_fd_fn(void *arg, short revents);
typedef void loop_timer_fn(void *arg);

struct loop *loop_new(void);
void loop_free(struct loop *loop);

/* Watches fd until loop_unwatch(); a second call for the same fd replaces events and callback. */
void loop_watch(struct loop *loop, int fd, short events, loop_fd_fn *fn, void *arg);
/* Safe inside callbacks, also for the descriptor being served. */
void loop_unwatch(struct loop *loop, int fd);

/* Calls fn every interval_ms, first after interval_ms. Timers live as long as the loop. */
void loop_every(struct loop *loop, int interval_ms, loop_timer_fn *fn, void *arg);

/* Waits for events or the next timer, and serves them; once. */
void loop_turn(struct loop *loop);

#endif
