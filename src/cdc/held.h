/* Messages that wait for the end of their transaction, first in, first out: in memory while they are few,
 * then in a file without a name. */
#ifndef PGC_CDC_HELD_H
#define PGC_CDC_HELD_H

#include "base/buf.h"
#include "base/err.h"
#include "pg/lsn.h"

struct held {
    const char *dir;  /* borrowed: where the file would be */
    struct buf tail;  /* what was added last and is in no file */
    int fd;           /* owned; -1: no file yet */
    int64_t written;  /* bytes in the file */
    bool reading;
    int64_t read;     /* bytes of the file that were read */
    struct buf in;    /* read ahead; tail itself where there is no file */
    size_t at;        /* the next message in it */
};

#define HELD_INIT {.fd = -1}

/* Adds a message; only before the first held_next() or after held_clear(). ERR_IO, retryable when the
 * disk is full. */
bool held_add(struct held *held, lsn_t lsn, const char *data, size_t len, struct err *err);

struct held_message {
    lsn_t lsn;
    char *data; /* writable, with one writable byte behind it; good until the next call */
    size_t len;
};

/* 1: *message is the next one; 0: there are no more; -1: error. */
int held_next(struct held *held, struct held_message *message, struct err *err);
/* Empty again; the memory of a large transaction is given back, and its file. */
void held_clear(struct held *held);
void held_release(struct held *held);

#endif
