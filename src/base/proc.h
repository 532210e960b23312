/* Running other programs (pg_dump, pg_restore, pg_dumpall): no shell, output captured, stoppable. */
#ifndef PGC_BASE_PROC_H
#define PGC_BASE_PROC_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"

struct proc_run {
    const char *const *argv;   /* NULL-terminated; argv[0] is the path or a name sought in PATH */
    const char *const *setenv; /* NULL-terminated "NAME=value" pairs added to the environment, or NULL */
    struct buf *out;           /* standard output is appended here; NULL: to out_path or /dev/null */
    const char *out_path;      /* standard output is written to this file (created 0600), or NULL */
    struct buf *errors;        /* standard error is appended here; NULL: /dev/null */
    int timeout_ms;            /* 0: none. Then SIGTERM, after 5 s SIGKILL, and ERR_TIMEOUT */
    uid_t uid;                 /* not 0: as this user and group, in directory "/"; only root can */
    gid_t gid;
};

/* Runs the program to its end; what it leaves running is not waited for, whether or not that has its output still. True when it exited with 0. Otherwise ERR_IO with the exit status or
 * signal in the message and the last lines of standard error (when captured) as the detail;
 * ERR_STOPPED when a stop was requested (the program is ended first). Never leaves it running. */
bool proc_run(const struct proc_run *run, struct err *err);

/* Starts a program that is to run beside this process, in a session of its own: a terminal's keys
 * do not reach it. Standard output and error are appended to out_path (created 0600; NULL:
 * /dev/null); out, errors and timeout_ms are not looked at. When this process dies, it gets
 * death_signal. *pid is a child: end it with proc_end(). A program that cannot be run ends with 127
 * and says so in out_path. */
bool proc_start(const struct proc_run *run, int death_signal, int *pid, struct err *err);

/* Sends the child `signo` (0: nothing, it is only waited for), waits for grace_ms, then SIGKILL.
 * Returns waitpid()'s status; the child is gone afterwards. A request to stop is not heeded. */
int proc_end(int pid, int signo, int grace_ms);

/* Did the child end by itself? Then it is reaped and *status is waitpid()'s. */
bool proc_has_ended(int pid, int *status);

/* The full path of a program in PATH, owned by the caller, or NULL. */
char *proc_find(const char *name);

/* Makes this process end when its parent does (PR_SET_PDEATHSIG, SIGKILL); exits at once when the
 * parent is already gone. parent: its pid as known before the fork. */
void proc_die_with_parent(int parent);

/* Closes every descriptor above 2 but those listed. */
void proc_close_fds_except(const int *keep, int count);

#endif
