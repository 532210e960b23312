/* One SSH session over a socket, or through a channel of another session (a jump host).
 *
 * How it works: libssh2 is not blocking, and what it sends goes into a buffer of ours that always takes it.
 * So no call of libssh2 ever stops in the middle of a packet, after which it would allow no other call; what
 * waits to be sent is ssh_session_flush()'s. Whoever fills the buffer looks at ssh_session_backlog() first. */
#ifndef PGC_SSH_SESSION_H
#define PGC_SSH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include <libssh2.h>

#include "base/buf.h"
#include "base/err.h"

struct ssh_session {
    LIBSSH2_SESSION *raw;
    int fd;                    /* the socket; the outer session's where there is one */
    struct ssh_session *outer; /* owned; NULL: directly */
    LIBSSH2_CHANNEL *through;  /* of outer */
    struct buf out;            /* bytes for the other side */
    size_t out_at;             /* those before it are sent */
    int64_t heard_ms;          /* when bytes came last, monotonic */
    bool is_dry;               /* all was read that was there: nothing is asked of the socket before ssh_session_wet() */
    bool is_lost;              /* the other side is gone */
    const char *hidden_answer; /* while logging in: to keyboard-interactive's hidden questions; borrowed */
    int hidden_questions;      /* ... that were asked */
    char *label;               /* owned: "SSH server bastion:22" */
};

/* Connects to host:port and agrees on keys; algorithms: of host keys, as known_hosts_algorithms() has them. outer (may be
 * NULL) is taken, also on error. NULL with ERR_CONNECTION (retryable) or ERR_STOPPED. Owned. */
struct ssh_session *ssh_session_open(const char *host, int port, const char *algorithms, struct ssh_session *outer,
                                 int timeout_ms, struct err *err);
/* Says good-bye where it can at once. NULL is fine. */
void ssh_session_close(struct ssh_session *session);

/* Sends what the sockets take. False when the other side is gone. */
bool ssh_session_flush(struct ssh_session *session);
size_t ssh_session_backlog(const struct ssh_session *session);
/* The socket has something to read, or may have. ssh_session_wait() says so by itself. */
void ssh_session_wet(struct ssh_session *session);
/* What to poll the socket for. */
short ssh_session_events(const struct ssh_session *session);

/* After a call that returned LIBSSH2_ERROR_EAGAIN: waits until another try makes sense. False with err when the
 * deadline (monotonic ms) has passed, a stop is requested or the other side is gone. */
bool ssh_session_wait(struct ssh_session *session, int64_t until_ms, struct err *err);

/* ERR_CONNECTION "LABEL: what: libssh2's words". */
void ssh_session_error(struct ssh_session *session, const char *what, struct err *err);

#endif
