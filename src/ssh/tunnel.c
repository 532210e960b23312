/* How it works: one poll loop over the listener, the session's socket and the local connections ("links"). A link is a
 * local socket and a channel; bytes go both ways through two small buffers, and where one is full its source is not read,
 * so that each side slows the other down (towards the server by the channel's window). All links are served after each
 * turn: libssh2 does not tell which channel it has read something for.
 *
 * libssh2 reads from the socket only in calls for some channel, also when there is no link: so one channel, the ear, is opened
 * first, closed at once and kept. That the first one can be opened also shows that the server behind is reached. */
#include "ssh/tunnel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/stop.h"
#include "ssh/peer.h"

#define LINKS_MAX 512
#define CHUNK_BYTES 65536
#define BACKLOG_BYTES (1u << 20)
#define KEEPALIVE_MS 15000
#define SILENCE_MS 45000 /* three keep-alives without an answer */
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000

struct link {
    int fd;
    LIBSSH2_CHANNEL *channel; /* NULL: not open yet */
    struct buf to_local, to_remote;
    bool readable;            /* the local side has something to say, or may have */
    bool local_ended;         /* it will send nothing more */
    bool remote_ended;
    bool told_remote;         /* ... and the other side knows */
    bool told_local;
    bool is_broken;
    struct link *next;
};

struct tunnel {
    const struct tunnel_options *options;
    struct ssh_session *session;
    struct link *links;   /* newest first */
    size_t link_count;
    struct link *opening; /* libssh2 opens one channel at a time */
    LIBSSH2_CHANNEL *ear; /* NULL: it could not be opened yet */
    bool opening_ear;
    int64_t ear_ms;       /* when that was tried last, monotonic; 0: never */
    int64_t asked_ms;     /* the last keep-alive */
};

static void report(struct tunnel *t, enum tunnel_event event, const struct err *err)
{
    if (t->options->report)
        t->options->report(t->options->arg, event, err);
}

int tunnel_listen(int *port, struct err *err)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, LINKS_MAX) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) < 0) {
        err_errno(err, "could not listen on 127.0.0.1 for the SSH tunnel");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

/* --- links --- */

static void free_link(struct tunnel *t, struct link *link)
{
    for (struct link **at = &t->links; *at; at = &(*at)->next) {
        if (*at == link) {
            *at = link->next;
            t->link_count--;
            break;
        }
    }
    if (link->channel)
        libssh2_channel_free(link->channel);
    close(link->fd);
    buf_release(&link->to_local);
    buf_release(&link->to_remote);
    free(link);
}

static bool is_ours(int fd)
{
    uid_t uid;

    return peer_uid(fd, &uid) && uid == getuid();
}

static void accept_links(struct tunnel *t)
{
    int on = 1;

    while (t->link_count < LINKS_MAX) {
        int fd = accept4(t->options->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        if (!is_ours(fd)) {
            struct err err = ERR_INIT;
            close(fd);
            err_set(&err, ERR_CONNECTION, "a connection of another user to the SSH tunnel's local port was refused");
            report(t, TUNNEL_REFUSED, &err);
            err_clear(&err);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct link *link = xcalloc(1, sizeof *link);
        link->fd = fd;
        link->readable = true;
        link->next = t->links;
        t->links = link;
        t->link_count++;
    }
}

/* The oldest link without a channel, so that nobody waits for ever. */
static struct link *next_to_open(struct tunnel *t)
{
    struct link *oldest = NULL;

    for (struct link *link = t->links; link; link = link->next)
        if (!link->channel && !link->is_broken)
            oldest = link;
    return oldest;
}

static void tell_refused(struct tunnel *t)
{
    struct err err = ERR_INIT;
    char *what = xasprintf("it could not connect to %s:%d", t->options->host, t->options->port);

    ssh_session_error(t->session, what, &err);
    err_hint(&err, "The address is looked up and reached from the SSH server; its sshd_config must allow it "
                   "(AllowTcpForwarding, PermitOpen).");
    report(t, TUNNEL_REFUSED, &err);
    err_clear(&err);
    free(what);
}

/* False while the answer is waited for; *channel NULL: refused, and told. */
static bool open_channel(struct tunnel *t, LIBSSH2_CHANNEL **channel)
{
    *channel = libssh2_channel_direct_tcpip_ex(t->session->raw, t->options->host, t->options->port, "127.0.0.1", 0);
    if (!*channel && libssh2_session_last_errno(t->session->raw) == LIBSSH2_ERROR_EAGAIN)
        return false;
    if (!*channel && !t->session->is_lost)
        tell_refused(t);
    return true;
}

static bool open_ear(struct tunnel *t)
{
    int64_t now_ms = clock_mono_ms();

    if (t->ear || (!t->opening_ear && t->ear_ms && now_ms - t->ear_ms < KEEPALIVE_MS))
        return true;
    t->opening_ear = true;
    t->ear_ms = now_ms;
    if (!open_channel(t, &t->ear))
        return false;
    if (t->ear)
        libssh2_channel_close(t->ear); /* what it waits for comes by itself */
    t->opening_ear = false;
    return true;
}

static void open_channels(struct tunnel *t)
{
    if (!t->opening && !open_ear(t))
        return;
    while (t->opening || (t->opening = next_to_open(t))) {
        if (!open_channel(t, &t->opening->channel))
            return;
        t->opening->is_broken = !t->opening->channel;
        t->opening = NULL;
    }
}

static void write_local(struct link *link)
{
    while (link->to_local.len) {
        ssize_t put = send(link->fd, link->to_local.data, link->to_local.len, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            link->is_broken |= errno != EAGAIN;
            return;
        }
        buf_consume(&link->to_local, (size_t)put);
    }
    if (link->remote_ended && !link->told_local) {
        shutdown(link->fd, SHUT_WR);
        link->told_local = true;
    }
}

static void pull(struct link *link)
{
    while (!link->is_broken && !link->remote_ended && link->to_local.len < CHUNK_BYTES) {
        ssize_t got = libssh2_channel_read(link->channel, buf_room(&link->to_local, CHUNK_BYTES), CHUNK_BYTES);
        if (got > 0) {
            link->to_local.len += (size_t)got;
            write_local(link);
            continue;
        }
        if (got < 0 && got != LIBSSH2_ERROR_EAGAIN)
            link->is_broken = true;
        else if (libssh2_channel_eof(link->channel))
            link->remote_ended = true;
        break;
    }
    write_local(link);
}

static void write_remote(struct tunnel *t, struct link *link)
{
    while (link->to_remote.len && ssh_session_backlog(t->session) < BACKLOG_BYTES) {
        ssize_t put = libssh2_channel_write(link->channel, link->to_remote.data, link->to_remote.len);
        if (put == LIBSSH2_ERROR_EAGAIN || put == 0)
            return;
        if (put < 0) {
            link->is_broken = true;
            return;
        }
        buf_consume(&link->to_remote, (size_t)put);
    }
}

static void push(struct tunnel *t, struct link *link)
{
    write_remote(t, link);
    while (link->readable && !link->local_ended && !link->is_broken && !link->to_remote.len && ssh_session_backlog(t->session) < BACKLOG_BYTES) {
        ssize_t got = recv(link->fd, buf_room(&link->to_remote, CHUNK_BYTES), CHUNK_BYTES, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            link->readable = false;
            link->is_broken |= errno != EAGAIN;
            break;
        }
        link->local_ended = got == 0;
        link->readable = got == CHUNK_BYTES;
        link->to_remote.len += (size_t)got;
        write_remote(t, link);
    }
    if (link->local_ended && !link->to_remote.len && !link->told_remote && !link->is_broken)
        link->told_remote = libssh2_channel_send_eof(link->channel) != LIBSSH2_ERROR_EAGAIN;
}

/* One that is being opened has nothing to go wrong yet. */
static bool link_is_over(const struct link *link)
{
    return link->is_broken || (link->told_local && link->told_remote);
}

static void serve_links(struct tunnel *t)
{
    char nothing;

    if (t->ear)
        libssh2_channel_read(t->ear, &nothing, 1);
    for (struct link *link = t->links, *next; link; link = next) {
        next = link->next;
        if (link->channel) {
            pull(link);
            push(t, link);
        }
        if (link_is_over(link))
            free_link(t, link);
    }
}

/* --- the loop --- */

/* When nothing was heard for a while the other side is asked; libssh2 keeps each answer, so it is not asked without need. */
static bool is_alive(struct tunnel *t)
{
    int64_t now_ms = clock_mono_ms();
    int64_t silent_ms = now_ms - t->session->heard_ms;
    int next;

    if (silent_ms > KEEPALIVE_MS && now_ms - t->asked_ms > KEEPALIVE_MS) {
        t->asked_ms = now_ms;
        libssh2_keepalive_send(t->session->raw, &next);
    }
    return silent_ms < SILENCE_MS;
}

static short link_events(const struct tunnel *t, const struct link *link)
{
    bool wanted = link->channel && !link->local_ended && !link->to_remote.len && ssh_session_backlog(t->session) < BACKLOG_BYTES;

    return (short)((wanted ? POLLIN : 0) | (link->to_local.len ? POLLOUT : 0));
}

/* Without a channel what comes is not read, and must not wake the loop. */
static bool reads(const struct tunnel *t)
{
    return t->ear || t->opening_ear || t->links;
}

static void look_for_end(struct tunnel *t)
{
    char first;

    if (!reads(t) && recv(t->session->fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
        t->session->is_lost = true;
}

static void wait_turn(struct tunnel *t, struct pollfd *pfds)
{
    nfds_t n = 0;

    look_for_end(t);
    pfds[n++] = (struct pollfd){.fd = reads(t) ? t->session->fd : -1, .events = ssh_session_events(t->session)};
    pfds[n++] = (struct pollfd){.fd = stop_fd(), .events = POLLIN};
    pfds[n++] = (struct pollfd){.fd = t->link_count < LINKS_MAX ? t->options->listen_fd : -1, .events = POLLIN};
    for (struct link *link = t->links; link; link = link->next) {
        short events = link_events(t, link);
        /* One that is only waited for would wake the loop with its POLLHUP again and again. */
        pfds[n++] = (struct pollfd){.fd = events ? link->fd : -1, .events = events};
    }
    if (poll(pfds, n, 1000) <= 0)
        return;
    n = 3;
    for (struct link *link = t->links; link; link = link->next)
        link->readable |= pfds[n++].revents & (POLLIN | POLLHUP | POLLERR);
    if (pfds[0].revents)
        ssh_session_wet(t->session);
    if (pfds[2].revents)
        accept_links(t);
}

static bool is_up(struct tunnel *t, struct err *err)
{
    if (stop_check(err))
        return false;
    if (t->session->is_lost) {
        err_set(err, ERR_CONNECTION, "%s: the connection was lost", t->session->label);
    } else if (!is_alive(t)) {
        err_set(err, ERR_CONNECTION, "%s: nothing was heard for %d s", t->session->label, SILENCE_MS / 1000);
    } else {
        return true;
    }
    if (err)
        err->retryable = true;
    return false;
}

/* Until the session is lost or a stop is requested. */
static void serve_session(struct tunnel *t, struct err *err)
{
    struct pollfd *pfds = xcalloc(LINKS_MAX + 3, sizeof *pfds);

    libssh2_keepalive_config(t->session->raw, 1, 2);
    t->asked_ms = 0;
    while (is_up(t, err)) {
        open_channels(t);
        serve_links(t);
        ssh_session_flush(t->session);
        wait_turn(t, pfds);
    }
    free(pfds);
}

static void drop_session(struct tunnel *t)
{
    t->opening = NULL;
    t->opening_ear = false;
    t->ear = NULL; /* goes with the session */
    t->ear_ms = 0;
    while (t->links)
        free_link(t, t->links);
    ssh_session_close(t->session);
    t->session = NULL;
}

static int longer(int pause_ms)
{
    return pause_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : pause_ms * 2;
}

bool tunnel_serve(const struct tunnel_options *options, struct ssh_trouble *trouble, struct err *err)
{
    struct tunnel t = {.options = options};
    int pause_ms = RETRY_MIN_MS;
    bool told = false;

    for (;;) {
        struct err own = ERR_INIT;
        t.session = ssh_login(&options->login, trouble, &own);
        if (!t.session && (!own.retryable || options->once)) {
            err_move(err, &own);
            return false;
        }
        if (t.session) {
            report(&t, TUNNEL_UP, NULL);
            pause_ms = RETRY_MIN_MS;
            told = false;
            serve_session(&t, &own);
            drop_session(&t);
        }
        if (own.code == ERR_STOPPED) {
            err_move(err, &own);
            return false;
        }
        if (!told)
            report(&t, TUNNEL_LOST, &own);
        told = true;
        err_clear(&own);
        if (!stop_sleep(pause_ms, err))
            return false;
        pause_ms = longer(pause_ms);
    }
}
