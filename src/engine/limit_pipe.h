/* The short way from the receiver to the applier: how far the spool may be read, told without the supervisor in
 * between, who would cost a transaction two more processes to wait for. It learns of the same, by and by, as JSON
 * (work_limit_json()); only that way is sure: what comes through the pipe may be lost, or be of a receiver that
 * has ended. */
#ifndef PGC_ENGINE_LIMIT_PIPE_H
#define PGC_ENGINE_LIMIT_PIPE_H

#include "cdc/spool.h"

struct limit_note {
    struct spool_position limit;
    bool ahead;      /* inside a transaction (spool_ahead()) */
    lsn_t covers;    /* everything before it lies before the limit */
    int64_t changes; /* before the limit, as this receiver counts them */
    int session;     /* which receiver it is: its process */
};

/* Makes both ends, non-blocking; without descriptors left both are -1, which is no error. */
void limit_pipe_open(int fds[2]);
void limit_pipe_close(int fds[2]);
/* False when it did not go in: then try again later. */
bool limit_pipe_tell(int fd, const struct limit_note *note);
/* The last note that came; false: none. */
bool limit_pipe_take(int fd, struct limit_note *note);

#endif
