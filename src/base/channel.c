#include "base/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/stop.h"

void channel_open(struct channel *channel, int fd)
{
    *channel = (struct channel)CHANNEL_INIT;
    channel->fd = fd;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void channel_close(struct channel *channel)
{
    if (channel->fd >= 0)
        close(channel->fd);
    buf_release(&channel->in);
    buf_release(&channel->out);
    *channel = (struct channel)CHANNEL_INIT;
}

bool channel_has_output(const struct channel *channel)
{
    return channel->out.len > 0;
}

bool channel_write(struct channel *channel)
{
    while (channel->fd >= 0 && channel->out.len) {
        ssize_t put = send(channel->fd, channel->out.data, channel->out.len, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        buf_consume(&channel->out, (size_t)put);
    }
    return channel->fd >= 0;
}

void channel_queue(struct channel *channel, cJSON *message)
{
    char *line = json_line(message);

    cJSON_Delete(message);
    if (channel->fd >= 0) {
        buf_addstr(&channel->out, line);
        buf_addch(&channel->out, '\n');
        channel_write(channel);
    }
    free(line);
}

bool channel_read(struct channel *channel)
{
    for (;;) {
        if (channel->fd < 0)
            return false;
        char *room = buf_room(&channel->in, 65536);
        ssize_t got = recv(channel->fd, room, 65536, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK;
        if (got == 0 || channel->in.len > CHANNEL_MAX_BYTES)
            return false;
        channel->in.len += (size_t)got;
        channel->in.data[channel->in.len] = '\0';
        if (got < 65536)
            return true;
    }
}

cJSON *channel_next(struct channel *channel, bool *bad)
{
    char *start = channel->in.data;
    char *end = start ? memchr(start + channel->scanned, '\n', channel->in.len - channel->scanned)
                      : NULL;

    if (!end) {
        channel->scanned = channel->in.len;
        return NULL;
    }
    cJSON *message = cJSON_ParseWithLength(start, (size_t)(end - start));
    buf_consume(&channel->in, (size_t)(end - start) + 1);
    channel->scanned = 0;
    if (!message) {
        if (bad)
            *bad = true;
        channel_close(channel);
    }
    return message;
}

static bool wait_for(struct channel *channel, short events, int64_t until, struct err *err)
{
    struct pollfd pfds[2] = {{.fd = channel->fd, .events = events},
                             {.fd = stop_fd(), .events = POLLIN}};
    int64_t left = until < 0 ? -1 : until - clock_mono_ms();

    if (stop_check(err))
        return false;
    if (until >= 0 && left <= 0) {
        err_set(err, ERR_TIMEOUT, "no answer in time");
        return false;
    }
    poll(pfds, 2, (int)left);
    return true;
}

static bool gone(struct err *err)
{
    err_set(err, ERR_NOT_FOUND, "the other end of the control connection is gone");
    return false;
}

bool channel_send(struct channel *channel, cJSON *message, struct err *err)
{
    channel_queue(channel, message);
    while (channel->out.len) {
        if (!channel_write(channel))
            return gone(err);
        if (channel->out.len && !wait_for(channel, POLLOUT, -1, err))
            return false;
    }
    return channel->fd >= 0 || gone(err);
}

cJSON *channel_receive(struct channel *channel, int timeout_ms, struct err *err)
{
    int64_t until = timeout_ms < 0 ? -1 : clock_mono_ms() + timeout_ms;

    for (;;) {
        cJSON *message = channel_next(channel, NULL);
        if (message)
            return message;
        if (!channel_read(channel)) {
            message = channel_next(channel, NULL);
            if (!message)
                gone(err);
            return message;
        }
        if (channel->in.len > channel->scanned)
            continue;
        if (!wait_for(channel, POLLIN, until, err))
            return NULL;
    }
}
