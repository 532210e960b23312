/* The control socket, server side: JSON lines over a Unix socket in a directory of mode 0700, peers of
 * another user refused (SO_PEERCRED). Protocol version 2:
 *
 *   client: {"type":"hello","version":2,"client":TEXT,"control":BOOL}
 *   server: {"type":"hello","version":2,"pid":N,"control":BOOL,"controller":TEXT|null}
 *   client: {"type":"status","tables":BOOL}    server: {"type":"status","status":{…},"more":BOOL}
 *   client: {"type":"subscribe","tables":BOOL} server: {"type":"snapshot","status":{…},"more":BOOL}, then
 *                                                      {"type":"delta",…} whenever something changed
 *                        while "more" is true, next:   {"type":"part","output":[…],"more":BOOL}
 *   client: {"type":"command","command":C,…}   server: {"type":"done",…} or {"type":"error","error":{…}}
 *
 * The status comes without its tables, and the tables in parts, as fast as the client reads them, where it
 * asked for them; deltas begin behind the last part.
 *
 * A command with "confirm":TEXT, typed by somebody, is refused where that is not the target database's name.
 *
 * Any number of clients observe; one has control. Commands of a client without control are carried
 * out as long as nobody else holds it; "take":true in the hello takes it over, and says so to the
 * one who had it: {"type":"observer","controller":TEXT}. */
#ifndef PGC_CONTROL_SERVER_H
#define PGC_CONTROL_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/loop.h"

#define CONTROL_VERSION 2

struct server;

struct server_calls {
    /* The status without its tables; owned by the server afterwards. */
    cJSON *(*status)(void *arg);
    /* The next tables, an array owned by the server; NULL: no more. *cursor begins at 0. */
    cJSON *(*part)(void *arg, uint64_t *cursor);
    /* What changed since (version, event number): NULL when nothing did; updates both. */
    cJSON *(*delta)(void *arg, uint64_t *version, uint64_t *events, bool tables);
    /* Carries a command out; answer may be given fields. False with err set. */
    bool (*command)(void *arg, const char *command, const cJSON *request, cJSON *answer,
                    struct err *err);
    void *arg;
};

/* Listens on DIR/control.sock (an old socket there is replaced: the caller holds the engine's lock). */
struct server *server_open(struct loop *loop, const char *dir, const struct server_calls *calls,
                           struct err *err);
/* Sends deltas to subscribers; call whenever something may have changed. */
void server_publish(struct server *server);
/* Sends what is left (bounded), closes and removes the socket. */
void server_close(struct server *server);

#endif
