/* Two throw-away servers for `pgcutover demo`: found, made, started, stopped. */
#ifndef PGC_CLI_DEMO_SERVER_H
#define PGC_CLI_DEMO_SERVER_H

#include <sys/types.h>

#include "pg/conn.h"

/* Where the server programs are, and as whom they run: they refuse root. */
struct demo_programs {
    char *dir;  /* owned; the newest version's bin directory */
    int major;
    uid_t uid;  /* 0: as the caller, who is not root */
    gid_t gid;
};

/* ERR_PREREQUISITE when there are no server programs, none that is new enough for the sample data,
 * or (as root) no ordinary user to run them. */
bool demo_programs_find(struct demo_programs *programs, struct err *err);
void demo_programs_release(struct demo_programs *programs);

struct demo_server {
    enum conn_side side;
    char *dir;  /* owned; holds data/, log and the socket; NULL: not made */
    int pid;    /* a child of this process, 0: not running */
};

/* initdb in DIR/source or DIR/target; nobody but its owner can reach it. */
bool demo_server_make(struct demo_server *server, const struct demo_programs *programs,
                      const char *dir, struct err *err);
/* Starts it and waits until it takes connections. It ends with this process, however that ends. */
bool demo_server_start(struct demo_server *server, const struct demo_programs *programs,
                       struct err *err);
/* Connects as its superuser. */
bool demo_server_connect(const struct demo_server *server, const char *database, struct conn *conn,
                         struct err *err);
/* Has it ended by itself? Then err says how. */
bool demo_server_has_ended(struct demo_server *server, struct err *err);
/* Ends it at once (its data is thrown away); also one that was not started. Files stay. */
void demo_server_stop(struct demo_server *server);
/* The last lines of its log, owned; NULL when there is none. */
char *demo_server_log_tail(const struct demo_server *server, int lines);
void demo_server_release(struct demo_server *server);

#endif
