#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *buf_room(struct buf *buf, size_t len)
{
    if (buf->len + len + 1 > buf->cap) {
        size_t cap = buf->cap ? buf->cap : 64;
        while (cap < buf->len + len + 1)
            cap *= 2;
        buf->data = xrealloc(buf->data, cap);
        buf->cap = cap;
    }
    return buf->data + buf->len;
}

void buf_add(struct buf *buf, const void *data, size_t len)
{
    char *room = buf_room(buf, len);

    if (len)
        memcpy(room, data, len);
    buf->len += len;
    buf->data[buf->len] = '\0';
}

void buf_addstr(struct buf *buf, const char *text)
{
    buf_add(buf, text, strlen(text));
}

void buf_addch(struct buf *buf, char ch)
{
    buf_add(buf, &ch, 1);
}

void buf_addf(struct buf *buf, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    char *text = xvasprintf(fmt, args);
    va_end(args);
    buf_addstr(buf, text);
    free(text);
}

void buf_consume(struct buf *buf, size_t len)
{
    if (len >= buf->len) {
        buf_clear(buf);
        return;
    }
    memmove(buf->data, buf->data + len, buf->len - len + 1);
    buf->len -= len;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    if (buf->data)
        buf->data[0] = '\0';
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf)BUF_INIT;
}

char *buf_take(struct buf *buf)
{
    char *data = buf->data ? buf->data : xstrdup("");

    *buf = (struct buf)BUF_INIT;
    return data;
}

static void put_be(struct buf *buf, uint64_t value, unsigned size)
{
    for (unsigned i = size; i-- > 0;)
        buf_addch(buf, (char)(value >> (8 * i)));
}

void buf_put_u16(struct buf *buf, uint16_t value)
{
    put_be(buf, value, 2);
}

void buf_put_u32(struct buf *buf, uint32_t value)
{
    put_be(buf, value, 4);
}

void buf_put_u64(struct buf *buf, uint64_t value)
{
    put_be(buf, value, 8);
}
