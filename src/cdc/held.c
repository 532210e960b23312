#include "cdc/held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"

#define MEMORY_BYTES ((size_t)4 << 20)
#define READ_BYTES ((size_t)256 << 10)
#define HEAD_BYTES 16 /* length and LSN, as this host has them: nobody else reads them */

struct head {
    uint64_t len;
    lsn_t lsn;
};

_Static_assert(sizeof(struct head) == HEAD_BYTES, "no padding");

/* A file that no crash leaves behind. */
static bool open_file(struct held *held, struct err *err)
{
    char *path = xasprintf("%s/held.XXXXXX", held->dir);

    held->fd = mkostemp(path, O_CLOEXEC);
    if (held->fd < 0)
        err_errno(err, "could not make a file in \"%s\" for a large transaction", held->dir);
    else
        unlink(path);
    free(path);
    return held->fd >= 0;
}

static bool write_tail(struct held *held, struct err *err)
{
    if (held->fd < 0 && !open_file(held, err))
        return false;
    if (!fd_write_all(held->fd, held->tail.data, held->tail.len, err)) {
        err_wrap(err, "could not keep a large transaction in \"%s\"", held->dir);
        return false;
    }
    held->written += (int64_t)held->tail.len;
    buf_clear(&held->tail);
    return true;
}

bool held_add(struct held *held, lsn_t lsn, const char *data, size_t len, struct err *err)
{
    struct head head = {.len = len, .lsn = lsn};

    buf_add(&held->tail, &head, sizeof head);
    buf_add(&held->tail, data, len);
    buf_addch(&held->tail, '\0');
    return held->tail.len < MEMORY_BYTES || write_tail(held, err);
}

static bool begin_reading(struct held *held, struct err *err)
{
    held->reading = true;
    if (held->fd >= 0)
        return write_tail(held, err);
    held->in = held->tail;
    held->tail = (struct buf)BUF_INIT;
    return true;
}

static bool is_empty(const struct held *held)
{
    return held->at == held->in.len && (held->fd < 0 || held->read == held->written);
}

/* Brings `want` bytes behind held->at into memory: a message is whole in memory, or in the file. */
static bool fill(struct held *held, size_t want, struct err *err)
{
    while (held->in.len - held->at < want) {
        buf_consume(&held->in, held->at);
        held->at = 0;
        char *room = buf_room(&held->in, READ_BYTES);
        ssize_t got = pread(held->fd, room, READ_BYTES, held->read);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            err_errno(err, "could not read a large transaction back from \"%s\"", held->dir);
            return false;
        }
        if (got == 0) {
            err_set(err, ERR_INTERNAL, "a transaction kept in \"%s\" ends early", held->dir);
            return false;
        }
        held->in.len += (size_t)got;
        held->read += got;
    }
    return true;
}

int held_next(struct held *held, struct held_message *message, struct err *err)
{
    struct head head;

    if (!held->reading && !begin_reading(held, err))
        return -1;
    if (is_empty(held))
        return 0;
    if (!fill(held, sizeof head, err))
        return -1;
    memcpy(&head, held->in.data + held->at, sizeof head);
    if (!fill(held, sizeof head + head.len + 1, err))
        return -1;
    *message = (struct held_message){.lsn = head.lsn,
                                     .data = held->in.data + held->at + sizeof head,
                                     .len = head.len};
    held->at += sizeof head + head.len + 1;
    return 1;
}

void held_clear(struct held *held)
{
    const char *dir = held->dir;

    if (held->fd < 0 && held->in.data && !held->tail.data) {
        held->tail = held->in;
        held->in = (struct buf)BUF_INIT;
    }
    struct buf tail = held->tail;
    held->tail = (struct buf)BUF_INIT;
    held_release(held);
    held->dir = dir;
    if (tail.cap > MEMORY_BYTES)
        buf_release(&tail);
    buf_clear(&tail);
    held->tail = tail;
}

void held_release(struct held *held)
{
    if (held->fd >= 0)
        close(held->fd);
    buf_release(&held->tail);
    buf_release(&held->in);
    *held = (struct held)HELD_INIT;
}
