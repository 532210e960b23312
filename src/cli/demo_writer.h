/* The workload of `pgcutover demo`: an application that writes to the source all the time. */
#ifndef PGC_CLI_DEMO_WRITER_H
#define PGC_CLI_DEMO_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define DEMO_WRITER_COUNT 2

struct demo_writers {
    struct {
        int pid; /* 0: not running */
        int fd;  /* its report comes here; read once when it has ended */
    } each[DEMO_WRITER_COUNT];
};

/* Starts processes that write to database `database` of the server in socket directory `host` as
 * `user`, each over one connection, until that is cut off. They end when this process does. */
bool demo_writers_start(struct demo_writers *writers, const char *host, const char *database,
                        const char *user, struct err *err);

/* After the cutover: waits until all have ended, at most timeout_ms, and adds up their rounds.
 * ERR_SERVER when one failed for another reason than being cut off, or did nothing; ERR_TIMEOUT
 * when one still writes. None runs afterwards. */
bool demo_writers_join(struct demo_writers *writers, int timeout_ms, int64_t *rounds,
                       struct err *err);

/* Ends those that run, without a word. */
void demo_writers_end(struct demo_writers *writers);

#endif
