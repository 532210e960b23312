/* Catching up with a large backlog: the slot's changes in bounded pieces, by SQL functions.
 *
 * A WAL sender makes a system call for each message; pg_logical_slot_peek_binary_changes() gathers a piece and
 * sends it by COPY, which is two to three times as fast. Peeking confirms nothing: once a piece is
 * durable here, pg_replication_slot_advance() (from 11) moves the slot behind it. The messages are those of
 * protocol version 1, whole transactions in commit order, each piece with its Relation messages. */
#ifndef PGC_CDC_CATCHUP_H
#define PGC_CDC_CATCHUP_H

#include "pg/conn.h"
#include "pg/lsn.h"

#define CATCHUP_MIN_VERSION 110000

/* What a slot holds: changes before confirmed_lsn are not sent again, decoding begins at restart_lsn. */
struct catchup_place {
    lsn_t confirmed_lsn;
    lsn_t restart_lsn;
    lsn_t wal_lsn;   /* where the server's WAL ends */
    int64_t now_us;  /* the server's clock */
    bool allowed;    /* may this role call the functions? */
};

/* ERR_PREREQUISITE when there is no such slot. The server must be of CATCHUP_MIN_VERSION or later. */
bool catchup_measure(struct conn *c, const char *slot, struct catchup_place *place, struct err *err);

/* Where the next piece ends, for a reader that has everything before from_lsn; LSN_INVALID: no piece, the
 * stream does better. That is so when less than threshold bytes are left, when the role may not, and when
 * restart_lsn lies so far back (an old transaction) that each piece would be mostly decoding again.
 * A piece is of `least` bytes of WAL or more, where there are as many. */
lsn_t catchup_piece_end(const struct catchup_place *place, lsn_t from_lsn, int64_t threshold,
                        int64_t least);

enum catchup_got { CATCHUP_ERROR = -1, CATCHUP_NOTHING, CATCHUP_MESSAGE, CATCHUP_END };

struct catchup {
    struct conn *conn; /* borrowed; of profile CONN_READER, so that values are written as in a stream */
    lsn_t end_lsn;     /* of the piece being read, LSN_INVALID: none */
    bool whole;        /* CATCHUP_END: it holds everything that commits before end_lsn */
    bool reading;      /* the server has decoded, the rows come */
    bool header_read;
    int64_t rows;
    char *raw; /* owned: the row that was given out last */
};

#define CATCHUP_INIT {0}

/* Bounds what the server may put into temporary files for a piece, where this role may say so (a transaction
 * larger than that is then left to the stream). */
void catchup_bound(struct conn *conn);
/* Asks for the piece up to end_lsn; it ends earlier, behind a whole transaction, when that is many
 * changes. Waits for no answer. publications as repl_start() wants them. */
bool catchup_begin(struct catchup *c, struct conn *conn, const char *slot, const char *publications,
                   lsn_t end_lsn, struct err *err);
/* The next message, borrowed until the next call; waits at most timeout_ms for it (0: not at all).
 * SQLSTATE 55006: the slot is in use by another session; 53400 or 53100: the server has no room for so
 * large a piece. After CATCHUP_END and CATCHUP_ERROR there is no piece. */
enum catchup_got catchup_next(struct catchup *c, int timeout_ms, int extra_fd, lsn_t *lsn,
                              const char **data, size_t *len, struct err *err);
/* Moves the slot to lsn, which must be durable here. */
bool catchup_advance(struct conn *conn, const char *slot, lsn_t lsn, struct err *err);
/* Gives the piece up: the server is asked to stop, and the connection is only good for closing. */
void catchup_abandon(struct catchup *c);

#endif
