/* Transactions that take long, next to each other on several connections of one server. */
#ifndef PGC_SCHEMA_PARALLEL_H
#define PGC_SCHEMA_PARALLEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pg/conn.h"
#include "schema/refusal.h"

struct parallel_task {
    const char *text;       /* borrowed: a whole transaction, BEGIN to COMMIT */
    const char *alone;      /* borrowed: of tasks with the same word here one runs at a time */
    bool refused;           /* the server will not: refusal says why */
    struct refusal refusal; /* the caller releases it */

    bool running, ended;    /* the rest is parallel_run()'s own; all zero at first */
    int tries;
    int64_t retry_ms;       /* monotonic: not before */
};

/* Runs every task once, in the order given as far as alone lets it; again where a lock was in the way. ended (may be NULL) is
 * called as each has ended. False: a connection was lost, or a stop was requested; then what still runs is
 * cancelled and its connection closed, and what was committed stays. A refusal is no such error. The connections must be idle. */
bool parallel_run(struct conn *const *conns, size_t conn_count, struct parallel_task *tasks, size_t count,
                  void (*ended)(void *arg, const struct parallel_task *task), void *arg, struct err *err);

#endif
