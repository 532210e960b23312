/* The tunnel: a port of 127.0.0.1 whose connections come out at the far end of an SSH session (direct-tcpip,
 * RFC 4254, 7.2), for processes of this user alone.
 *
 * While the session is down nothing is accepted: who connects waits in the listener's queue and goes through as soon as
 * it is up again. */
#ifndef PGC_SSH_TUNNEL_H
#define PGC_SSH_TUNNEL_H

#include "ssh/login.h"

enum tunnel_event {
    TUNNEL_UP,      /* connections go through */
    TUNNEL_LOST,    /* err says why; it is tried again */
    TUNNEL_REFUSED, /* one connection could not be made; err says why */
};

struct tunnel_options {
    struct ssh_login login;
    const char *host; /* of the server behind, as the SSH server resolves it */
    int port;
    int listen_fd;    /* tunnel_listen(); borrowed */
    bool once;        /* the first login that fails ends it, whatever the reason */
    void (*report)(void *arg, enum tunnel_event event, const struct err *err);
    void *arg;
};

/* Listens on a random port of 127.0.0.1, close-on-exec. Returns the descriptor, or -1 with ERR_IO. */
int tunnel_listen(int *port, struct err *err);

/* Serves the tunnel until a stop is requested (ERR_STOPPED). A session that is lost is opened again, with pauses from
 * half a second to half a minute, as long as that may help; a login that is refused ends it. Returns false, always. */
bool tunnel_serve(const struct tunnel_options *options, struct ssh_trouble *trouble, struct err *err);

#endif
