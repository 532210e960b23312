/* JSON lines over a socket: between supervisor and workers, engine and clients.
 *
 * The supervisor's end is non-blocking and driven by its loop; a worker's end blocks with a
 * deadline. Messages larger than CHANNEL_MAX_BYTES end the channel. */
#ifndef PGC_BASE_CHANNEL_H
#define PGC_BASE_CHANNEL_H

#include <stdbool.h>

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/err.h"

#define CHANNEL_MAX_BYTES (64u << 20)

struct channel {
    int fd; /* owned; -1 when closed */
    struct buf in;
    struct buf out;
    size_t scanned; /* bytes of in known to hold no newline */
};

#define CHANNEL_INIT {.fd = -1}

/* Takes the descriptor and makes it non-blocking. */
void channel_open(struct channel *channel, int fd);
void channel_close(struct channel *channel);

/* Queues a message (taken: deleted here) and writes what the socket takes at once. */
void channel_queue(struct channel *channel, cJSON *message);
bool channel_has_output(const struct channel *channel);
/* Writes what can be written. False when the other end is gone. */
bool channel_write(struct channel *channel);
/* Reads what is there. False when the other end is gone (messages already read remain). */
bool channel_read(struct channel *channel);
/* The next whole message that was read, owned by the caller; NULL when there is none. A line that
 * is not JSON sets *bad (may be NULL) and closes the channel. */
cJSON *channel_next(struct channel *channel, bool *bad);

/* Blocking forms, for workers and commands. ERR_NOT_FOUND when the other end is gone, ERR_TIMEOUT
 * after timeout_ms (<0: none), ERR_STOPPED. */
bool channel_send(struct channel *channel, cJSON *message, struct err *err);
cJSON *channel_receive(struct channel *channel, int timeout_ms, struct err *err);

#endif
