/* A shell on the host of a server: over the plan's SSH server, where the database server runs on that host, or here, where it
 * runs on this one. Whoever opens it is told each command before it is run. */
#ifndef PGC_ENGINE_HOST_H
#define PGC_ENGINE_HOST_H

#include "base/buf.h"
#include "pg/conn.h"
#include "plan/plan.h"

struct ssh_session;

struct host {
    struct ssh_session *session; /* owned; NULL: this host */
    char *name;                  /* owned: for messages */
    char *socket_dir;            /* owned: of the server, where it is known; NULL */
    int port;                    /* of the server */
    void (*show)(void *arg, const char *host, const char *command); /* may be NULL */
    void *arg;
};

#define HOST_INIT {0}

/* ERR_USAGE where the server is on neither host, with what to do; else as ssh_login(). */
bool host_open(struct host *host, const struct plan *plan, enum conn_side side, struct err *err);
void host_close(struct host *host);

/* Runs the command and adds what it says to out (NULL: not wanted). ERR_IO with its words where it exits with something else
 * than 0. */
bool host_run(struct host *host, const char *command, struct buf *out, struct err *err);
/* The same of a command that is made as with printf. */
bool host_runf(struct host *host, struct buf *out, struct err *err, const char *fmt, ...) PGC_PRINTF(4, 5);
/* 'text' as one word of a shell. Owned. */
char *host_quote(const char *text);

/* What psql, run there by its account, says to one statement: without the line feed at the end, owned. */
bool host_sql(struct host *host, const char *sql, char **value, struct err *err);

#endif
