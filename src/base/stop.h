/* A request to stop this process, as workers and commands get it by signal.
 *
 * A signal is a fact of the whole process, and so is this: the one global of base. Everything
 * that waits, waits on stop_fd() too, and gives up with ERR_STOPPED once it is readable. */
#ifndef PGC_BASE_STOP_H
#define PGC_BASE_STOP_H

#include <stdbool.h>

#include "base/err.h"

/* From now on SIGTERM and SIGINT (and SIGHUP, if hangup) set the request instead of ending the
 * process. May be called again after a fork: the request is cleared, the pipe is new. */
void stop_catch_signals(bool hangup);

bool stop_requested(void);
/* The signal that asked, or 0. */
int stop_signal(void);
/* Readable once a stop is requested; -1 before stop_catch_signals(). Borrowed. */
int stop_fd(void);

/* Sets ERR_STOPPED and returns true if a stop is requested. */
bool stop_check(struct err *err);

/* Sleeps; false with ERR_STOPPED as soon as a stop is requested. */
bool stop_sleep(int timeout_ms, struct err *err);

#endif
