/* Running other programs (pg_dump, pg_restore, pg_dumpall): no shell, output captured, stoppable. */
#ifndef PGC_BASE_PROC_H
#define PGC_BASE_PROC_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

struct proc_run {
    const char *const *argv;   /* NULL-terminated; argv[0] is the path or a name sought in PATH */
    const char *const *setenv; /* NULL-terminated "NAME=value" pairs added to the environment, or NULL */
    struct buf *out;           /* standard output is appended here; NULL: to out_path or /dev/null */
    const char *out_path;      /* standard output is written to this file (created 0600), or NULL */
    struct buf *errors;        /* standard error is appended here; NULL: /dev/null */
    int timeout_ms;            /* 0: none. Then SIGTERM, after 5 s SIGKILL, and ERR_TIMEOUT */
};

/* Runs the program to its end. True when it exited with 0. Otherwise ERR_IO with the exit status or
 * signal in the message and the last lines of standard error (when captured) as the detail;
 * ERR_STOPPED when a stop was requested (the program is ended first). Never leaves it running. */
bool proc_run(const struct proc_run *run, struct err *err);

/* The full path of a program in PATH, owned by the caller, or NULL. */
char *proc_find(const char *name);

/* Makes this process end when its parent does (PR_SET_PDEATHSIG, SIGKILL); exits at once when the
 * parent is already gone. parent: its pid as known before the fork. */
void proc_die_with_parent(int parent);

/* Closes every descriptor above 2 but those listed. */
void proc_close_fds_except(const int *keep, int count);

#endif
