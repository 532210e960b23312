/* Statements on their way: sent without waiting, at most so many and so many bytes ahead of the
 * results; each result is matched with what it belongs to.
 *
 * The connection is in libpq's pipeline mode from apply_pipe_begin() to apply_pipe_end(). */
#ifndef PGC_CDC_APPLY_PIPE_H
#define PGC_CDC_APPLY_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cdc/apply_cache.h"
#include "cdc/decode.h"
#include "pg/conn.h"

#define PIPE_KEY_SIZE 200

enum pipe_what { PIPE_CHANGE, PIPE_OTHER, PIPE_ANSWER, PIPE_SYNC };

/* What was sent. */
struct pipe_entry {
    enum pipe_what what;
    enum change_kind kind;             /* PIPE_CHANGE */
    struct apply_table *table;         /* PIPE_CHANGE; borrowed */
    struct apply_statement *statement; /* PIPE_CHANGE; borrowed, held by in_flight; NULL: none */
    const char *sql;                   /* PIPE_OTHER: for messages; borrowed for good */
    long rows;                         /* exactly so many must be hit; 0: does not matter */
    bool batched;                      /* PIPE_CHANGE: one of several changes, or more than one */
    uint64_t commit_lsn;
    uint32_t xid;
    size_t bytes;
    char *row;                         /* owned: the change's values as JSON, where they may be wanted */
    char key[PIPE_KEY_SIZE];
};

struct apply_pipe {
    struct conn *conn;
    struct pipe_entry *entries; /* a ring */
    size_t head;
    size_t count;
    size_t cap;
    size_t bytes;       /* of everything that is on its way */
    size_t max_count;
    size_t max_bytes;
    size_t unasked;     /* sent since the server was last asked to send its results */
    PGresult *answer;   /* the result of the last PIPE_ANSWER */
    /* Judges a result. False with err set ends the waiting. */
    bool (*judge)(void *arg, const struct pipe_entry *entry, const PGresult *res, struct err *err);
    /* Waits until something of this or of another pipe may be read or written. */
    bool (*wait)(void *arg, struct err *err);
    void *arg;
};

bool apply_pipe_begin(struct apply_pipe *pipe, struct conn *conn, struct err *err);
/* Leaves pipeline mode (nothing must be on its way) and releases what the pipe holds. */
void apply_pipe_end(struct apply_pipe *pipe);

/* Waits until a statement of so many bytes may be sent. */
bool apply_pipe_room(struct apply_pipe *pipe, size_t bytes, struct err *err);
/* Records what was just sent (PQsend...). The caller fills the entry, cleared but for key. */
struct pipe_entry *apply_pipe_add(struct apply_pipe *pipe, enum pipe_what what);
/* Sends a statement that is not a change. sql must stay (a literal). */
bool apply_pipe_send(struct apply_pipe *pipe, const char *sql, struct err *err);
/* Asks for all results and sends what can be sent without waiting. */
bool apply_pipe_push(struct apply_pipe *pipe, struct err *err);
/* Waits for every result. */
bool apply_pipe_drain(struct apply_pipe *pipe, struct err *err);
/* Ends the server's implicit transaction block of the protocol (Sync); ... and waits for every result. */
bool apply_pipe_send_sync(struct apply_pipe *pipe, struct err *err);
bool apply_pipe_sync(struct apply_pipe *pipe, struct err *err);
/* Sync, every result read, also behind an error, which does not end the transaction block's savepoints. False
 * with the first error. */
bool apply_pipe_try(struct apply_pipe *pipe, struct err *err);
/* A query whose rows are wanted now; everything sent before is waited for. Owned by the caller. */
PGresult *apply_pipe_query(struct apply_pipe *pipe, const char *sql, int count, const char *const *values,
                           struct err *err);
/* After an error: reads everything that is on its way without judging, rolls back and forgets all
 * prepared statements; pipeline mode again. False when the connection is of no use any more. */
bool apply_pipe_recover(struct apply_pipe *pipe);

#endif
