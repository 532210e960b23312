/* Growable byte buffers. data is always NUL-terminated once anything was added. */
#ifndef PGC_BASE_BUF_H
#define PGC_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/xalloc.h"

struct buf {
    char *data; /* owned; NULL while empty and never used */
    size_t len;
    size_t cap;
};

#define BUF_INIT {0}

void buf_add(struct buf *buf, const void *data, size_t len);
void buf_addstr(struct buf *buf, const char *text);
void buf_addch(struct buf *buf, char ch);
void buf_addf(struct buf *buf, const char *fmt, ...) PGC_PRINTF(2, 3);
/* Makes room for len more bytes and returns where they go; len is not changed. */
char *buf_room(struct buf *buf, size_t len);
/* Drops the first len bytes. */
void buf_consume(struct buf *buf, size_t len);
/* Empty, but the memory stays. */
void buf_clear(struct buf *buf);
void buf_release(struct buf *buf);
/* The bytes as an owned NUL-terminated string ("" if empty); the buffer is empty afterwards. */
char *buf_take(struct buf *buf);

/* Network byte order, as the PostgreSQL protocol has it. */
void buf_put_u16(struct buf *buf, uint16_t value);
void buf_put_u32(struct buf *buf, uint32_t value);
void buf_put_u64(struct buf *buf, uint64_t value);

#endif
