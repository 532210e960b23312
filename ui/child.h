/* A command of this program that runs beside the screen: its words are gathered, nothing waits for it. It is in a
 * session of its own, so that it cannot ask on the terminal. */
#ifndef PGC_UI_CHILD_H
#define PGC_UI_CHILD_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

struct child {
    int pid;          /* 0: none runs */
    int fd;           /* of its stdout and stderr */
    int64_t started_ms;
    struct buf words;
    int status;       /* waitpid()'s, once it has ended */
};

/* input: what it reads on its standard input; it is kept in memory, never on disk, so that it may hold a password.
 * NULL: nothing; then its stderr is among its words, else only what it says on stdout. */
bool child_start(struct child *child, const char *const *argv, const char *input, struct err *err);
/* The same with what this program's own standard output and error are, to its end. Returns its exit code; -1 with err. */
int child_run(const char *const *argv, const char *input, struct err *err);
/* Reads what is there. True when it has ended. */
bool child_serve(struct child *child);
/* Ends it where it runs, and releases. */
void child_release(struct child *child);

#endif
