/* The control socket, server side: JSON lines over a Unix socket in a directory of mode 0700, peers of
 * another user refused (SO_PEERCRED). Protocol version 1:
 *
 *   client: {"type":"hello","version":1,"client":TEXT,"control":BOOL}
 *   server: {"type":"hello","version":1,"pid":N,"control":BOOL,"controller":TEXT|null}
 *   client: {"type":"status"}                  server: {"type":"status","status":{…}}
 *   client: {"type":"subscribe"}               server: {"type":"snapshot","status":{…}}, then
 *                                                      {"type":"delta",…} whenever something changed
 *   client: {"type":"command","command":C,…}   server: {"type":"done",…} or {"type":"error","error":{…}}
 *
 * Any number of clients observe; one has control. Commands of a client without control are carried
 * out as long as nobody else holds it; "take":true in the hello takes it over, and says so to the
 * one who had it: {"type":"observer","controller":TEXT}. */
#ifndef PGC_CONTROL_SERVER_H
#define PGC_CONTROL_SERVER_H

#include <stdint.h>

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/loop.h"

#define CONTROL_VERSION 1

struct server;

struct server_calls {
    /* The whole status; owned by the server afterwards. */
    cJSON *(*status)(void *arg);
    /* What changed since (version, event number): NULL when nothing did; updates both. */
    cJSON *(*delta)(void *arg, uint64_t *version, uint64_t *events);
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
