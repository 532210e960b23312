#include "ssh/session.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"

size_t ssh_session_backlog(const struct ssh_session *session)
{
    return session->out.len - session->out_at + (session->outer ? ssh_session_backlog(session->outer) : 0);
}

/* --- libssh2's view of the wire --- */

/* It uses the same functions for the agent's socket, which blocks. */

static ssize_t on_send(libssh2_socket_t fd, const void *data, size_t len, int flags, void **abstract)
{
    struct ssh_session *session = *abstract;

    if (fd != session->fd) {
        ssize_t sent = send(fd, data, len, flags | MSG_NOSIGNAL);
        return sent < 0 ? -errno : sent;
    }
    if (session->is_lost)
        return -EPIPE;
    buf_add(&session->out, data, len);
    return (ssize_t)len;
}

void ssh_session_wet(struct ssh_session *session)
{
    for (; session; session = session->outer)
        session->is_dry = false;
}

/* libssh2 asks once for each channel that is looked at: after the first answer that nothing is there, the socket is left alone. */
static ssize_t receive(struct ssh_session *session, void *data, size_t len)
{
    if (!session->outer) {
        if (session->is_dry)
            return -EAGAIN;
        ssize_t got = recv(session->fd, data, len, MSG_DONTWAIT);
        session->is_dry = got < 0 ? errno == EAGAIN : got > 0 && (size_t)got < len;
        return got < 0 ? -errno : got;
    }
    ssize_t got = libssh2_channel_read(session->through, data, len);
    if (got == LIBSSH2_ERROR_EAGAIN || (got == 0 && !libssh2_channel_eof(session->through)))
        return -EAGAIN;
    return got < 0 ? -EPIPE : got;
}

static ssize_t on_receive(libssh2_socket_t fd, void *data, size_t len, int flags, void **abstract)
{
    struct ssh_session *session = *abstract;
    ssize_t got;

    if (fd != session->fd) {
        got = recv(fd, data, len, flags);
        return got < 0 ? -errno : got;
    }
    got = receive(session, data, len);
    if (got > 0)
        session->heard_ms = clock_mono_ms();
    else if (got != -EAGAIN && got != -EINTR)
        session->is_lost = true;
    return got;
}

static ssize_t put(struct ssh_session *session, const char *data, size_t len)
{
    if (!session->outer) {
        ssize_t sent = send(session->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        return sent < 0 ? -errno : sent;
    }
    ssize_t sent = libssh2_channel_write(session->through, data, len);
    if (sent == LIBSSH2_ERROR_EAGAIN || sent == 0)
        return -EAGAIN;
    return sent < 0 ? -EPIPE : sent;
}

bool ssh_session_flush(struct ssh_session *session)
{
    while (!session->is_lost && session->out_at < session->out.len) {
        ssize_t sent = put(session, session->out.data + session->out_at, session->out.len - session->out_at);
        if (sent == -EAGAIN || sent == -EINTR)
            break;
        if (sent < 0)
            session->is_lost = true;
        else
            session->out_at += (size_t)sent;
    }
    if (session->out_at == session->out.len) {
        buf_clear(&session->out);
        session->out_at = 0;
    } else if (session->out_at > (1u << 18)) {
        buf_consume(&session->out, session->out_at);
        session->out_at = 0;
    }
    if (session->outer && !ssh_session_flush(session->outer))
        session->is_lost = true;
    return !session->is_lost;
}

short ssh_session_events(const struct ssh_session *session)
{
    const struct ssh_session *first = session;

    while (first->outer)
        first = first->outer;
    return first->out_at < first->out.len ? POLLIN | POLLOUT : POLLIN;
}

bool ssh_session_wait(struct ssh_session *session, int64_t until_ms, struct err *err)
{
    int64_t left = until_ms - clock_mono_ms();

    if (stop_check(err))
        return false;
    if (!ssh_session_flush(session)) {
        err_set(err, ERR_CONNECTION, "%s: the connection was lost", session->label);
        err->retryable = true;
        return false;
    }
    if (left <= 0) {
        err_set(err, ERR_CONNECTION, "%s: no answer in time", session->label);
        err->retryable = true;
        return false;
    }
    struct pollfd pfds[2] = {{.fd = session->fd, .events = ssh_session_events(session)},
                             {.fd = stop_fd(), .events = POLLIN}};
    poll(pfds, 2, (int)(left < 1000 ? left : 1000));
    ssh_session_wet(session);
    return true;
}

void ssh_session_error(struct ssh_session *session, const char *what, struct err *err)
{
    char *said = NULL;

    if (session->raw)
        libssh2_session_last_error(session->raw, &said, NULL, 0);
    err_set(err, ERR_CONNECTION, "%s: %s%s%s", session->label, what, said && *said ? ": " : "", said ? said : "");
    if (err)
        err->retryable = true;
}

/* --- opening --- */

static bool wait_connected(int fd, int64_t until_ms, struct err *err)
{
    int error = 0;
    socklen_t len = sizeof error;

    for (;;) {
        struct pollfd pfds[2] = {{.fd = fd, .events = POLLOUT}, {.fd = stop_fd(), .events = POLLIN}};
        int64_t left = until_ms - clock_mono_ms();
        if (stop_check(err))
            return false;
        if (left <= 0) {
            errno = ETIMEDOUT;
            return false;
        }
        if (poll(pfds, 2, (int)left) > 0 && pfds[0].revents)
            break;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 && error)
        errno = error;
    return error == 0;
}

static int connect_to(const struct addrinfo *address, int64_t until_ms, struct err *err)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd < 0)
        return -1;
    if ((connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS) ||
        !wait_connected(fd, until_ms, err)) {
        int why = errno;
        close(fd);
        errno = why;
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    return fd;
}

static bool open_socket(struct ssh_session *session, const char *host, int port, int64_t until_ms, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *found = NULL;
    char *service = xasprintf("%d", port);
    int refused = getaddrinfo(host, service, &hints, &found);

    free(service);
    if (refused) {
        err_set(err, ERR_CONNECTION, "%s: could not find the host: %s", session->label, gai_strerror(refused));
        err_hint(err, "Check \"ssh.host\" of the plan and HostName of ~/.ssh/config.");
        err->retryable = refused == EAI_AGAIN;
        return false;
    }
    for (const struct addrinfo *at = found; at && session->fd < 0 && !err_is_set(err); at = at->ai_next)
        session->fd = connect_to(at, until_ms, err);
    freeaddrinfo(found);
    if (session->fd < 0 && !err_is_set(err)) {
        err_set(err, ERR_CONNECTION, "%s: could not connect: %s", session->label, strerror(errno));
        err_hint(err, "Check that sshd runs there, and that host, port and firewalls let this machine in.");
        err->retryable = true;
    }
    return session->fd >= 0;
}

static bool open_through(struct ssh_session *session, const char *host, int port, int64_t until_ms, struct err *err)
{
    struct ssh_session *outer = session->outer;

    session->fd = outer->fd;
    while (!(session->through = libssh2_channel_direct_tcpip(outer->raw, host, port))) {
        if (libssh2_session_last_errno(outer->raw) != LIBSSH2_ERROR_EAGAIN) {
            char *what = xasprintf("could not reach %s:%d from there", host, port);
            ssh_session_error(outer, what, err);
            free(what);
            return false;
        }
        if (!ssh_session_wait(outer, until_ms, err))
            return false;
    }
    return true;
}

/* The fastest first; those that this libssh2 does not know are passed over. All of them are as good as the others. */
static const char ciphers[] = "aes128-gcm@openssh.com,aes256-gcm@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,chacha20-poly1305@openssh.com";

static bool agree(struct ssh_session *session, const char *algorithms, int64_t until_ms, struct err *err)
{
    int rc;

    session->raw = libssh2_session_init_ex(NULL, NULL, NULL, session);
    if (!session->raw)
        abort(); /* out of memory */
    libssh2_session_set_blocking(session->raw, 0);
    libssh2_session_callback_set(session->raw, LIBSSH2_CALLBACK_SEND, (void *)on_send);
    libssh2_session_callback_set(session->raw, LIBSSH2_CALLBACK_RECV, (void *)on_receive);
    libssh2_session_method_pref(session->raw, LIBSSH2_METHOD_HOSTKEY, algorithms);
    libssh2_session_method_pref(session->raw, LIBSSH2_METHOD_CRYPT_CS, ciphers);
    libssh2_session_method_pref(session->raw, LIBSSH2_METHOD_CRYPT_SC, ciphers);
    while ((rc = libssh2_session_handshake(session->raw, session->fd)) == LIBSSH2_ERROR_EAGAIN)
        if (!ssh_session_wait(session, until_ms, err))
            return false;
    if (rc)
        ssh_session_error(session, "could not agree on keys", err);
    return rc == 0;
}

struct ssh_session *ssh_session_open(const char *host, int port, const char *algorithms, struct ssh_session *outer,
                                 int timeout_ms, struct err *err)
{
    struct ssh_session *session = xcalloc(1, sizeof *session);
    int64_t until_ms = clock_mono_ms() + timeout_ms;
    struct err own = ERR_INIT;

    session->fd = -1;
    session->outer = outer;
    session->heard_ms = clock_mono_ms();
    session->label = xasprintf("SSH server %s:%d", host, port);
    bool ok = outer ? open_through(session, host, port, until_ms, &own) : open_socket(session, host, port, until_ms, &own);
    if (ok && agree(session, algorithms, until_ms, &own))
        return session;
    err_move(err, &own);
    ssh_session_close(session);
    return NULL;
}

void ssh_session_close(struct ssh_session *session)
{
    if (!session)
        return;
    if (session->raw) {
        if (!session->is_lost) {
            libssh2_session_disconnect(session->raw, "done");
            ssh_session_flush(session);
        }
        session->is_lost = true; /* nothing is waited for any more */
        for (int tries = 0; tries < 100 && libssh2_session_free(session->raw) == LIBSSH2_ERROR_EAGAIN; tries++)
            ;
    }
    if (session->outer) {
        /* Its channel goes with it. */
        ssh_session_close(session->outer);
    } else if (session->fd >= 0) {
        close(session->fd);
    }
    buf_release(&session->out);
    free(session->label);
    free(session);
}
