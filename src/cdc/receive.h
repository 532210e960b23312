/* Receiving: the source's stream into the spool, and back to the source what is safe there. */
#ifndef PGC_CDC_RECEIVE_H
#define PGC_CDC_RECEIVE_H

#include "cdc/catchup.h"
#include "cdc/spool.h"
#include "cdc/translate.h"
#include "pg/conn.h"
#include "pg/repl.h"

struct receiver_options {
    const struct conninfo *source;
    const char *dbname;       /* may be NULL: the conninfo's */
    const char *slot;
    const char *publications; /* as repl_start() wants them: "\"a\",\"b\"" */
    const char *dir;          /* the spool */
    const char *identity;     /* of the migration */
    const struct picked_table *tables; /* of the migration; servers before 10 send those of all */
    size_t table_count;
    lsn_t start_lsn;          /* where a new spool begins: the slot's consistent LSN */
    int64_t limit_bytes;      /* of the spool, 0: none */
    int64_t segment_bytes;    /* 0: the usual */
    int64_t catchup_bytes;    /* a backlog larger than that is fetched by SQL functions; 0: the usual, -1: never */
    int catchup_check_ms;     /* how long the stream is busy before the backlog is measured, or a piece waits
                               * for room in the spool before it is given up; 0: the usual */
};

enum receiver_mode {
    RECEIVER_STREAM,   /* a WAL sender's stream, for as long as it lasts */
    RECEIVER_CATCH_UP, /* pieces of a large backlog, by SQL functions (catchup.h) */
};

/* "stream", "catch-up". */
const char *receiver_mode_name(enum receiver_mode mode);

struct receiver {
    /* For reports; everything counts from receiver_open() on. */
    lsn_t received_lsn;  /* everything before it was received */
    lsn_t synced_lsn;    /* ... and is durable here, and was or will be confirmed */
    lsn_t confirmed_lsn; /* what the source was told last */
    lsn_t server_lsn;    /* the latest position of the source that was heard of: how far it has decoded; while
                          * catching up, where its WAL ends */
    enum receiver_mode mode;
    bool idle;           /* the source has sent all that it had to send, when it was looked at last */
    int64_t last_commit_us; /* source clock, 0: none yet */
    struct spool_position boundary; /* the last one that readers may read up to */
    int64_t bytes;
    int64_t messages;
    int64_t transactions;    /* COMMIT messages, of streamed transactions without a change for us too */
    int64_t changes;         /* INSERT, UPDATE, DELETE and TRUNCATE messages of whole transactions */
    int64_t clock_offset_us; /* source clock minus ours, less the way here; 0 until known */
    bool full;               /* the spool takes no more: nothing is read from the source */
    char full_reason[64];

    /* Its own. */
    struct receiver_options options; /* with copies of what it points to */
    struct conninfo source;
    struct conn conn;                /* the stream's */
    struct conn sql;                 /* to look at the slot, and to catch up */
    struct catchup catchup;
    struct catchup_place place;
    int64_t base_changes;            /* spool_changes() when it was opened */
    int64_t full_since_ms, busy_since_ms, measured_ms, slot_wait_ms;
    bool no_catch_up;                /* the server has refused: only the stream is left */
    bool no_parts;                   /* large transactions are not asked for before their commit any more */
    struct spool_writer *writer;
    struct translator *translator; /* of a server before 10, else NULL */
    struct repl_msg msg;
    int64_t untold_bytes;
    int64_t untold_since_ms;   /* when the oldest boundary that readers may not read yet came; 0: none */
    int64_t synced_ms;         /* when the last sync was, ... */
    int64_t sync_took_us;      /* ... and how long it took */
    int64_t feedback_ms, mark_ms, offset_ms; /* when the last one was */
    int64_t offset_best_us;
    lsn_t written_lsn; /* write position of the last feedback */
    lsn_t wanted_lsn;  /* receiver_want() */
    bool reply_requested, mark_requested;
};

#define RECEIVER_INIT {.conn = CONN_INIT, .sql = CONN_INIT, .source = CONNINFO_INIT}

/* Checks the slot, opens or makes the spool and goes on where the spool ends: by catching up where much is
 * waiting on the source, else with the stream; later it changes over by itself, both ways. Errors are
 * those of the connection (retryable: also while the slot is still active for a lost connection) and
 * of spool_writer_open(); ERR_PREREQUISITE when slot or WAL are gone. On error r is closed. */
bool receiver_open(struct receiver *r, const struct receiver_options *options, struct err *err);
/* What was not synced is forgotten: the source sends it again. */
void receiver_close(struct receiver *r);

/* Receives for a moment: takes what is there (waits at most timeout_ms for something, extra_fd wakes
 * it, -1 none), spools, syncs and confirms when it is time. False after an error, also when the
 * source ends the stream: close, and open again if it is retryable. */
bool receiver_step(struct receiver *r, int timeout_ms, int extra_fd, struct err *err);

/* How far readers may read, and the changes before that place as `changes` counts them: the boundary, or (*ahead) a place
 * inside a large transaction that is being received (spool_ahead()). */
struct spool_position receiver_readable(const struct receiver *r, bool *ahead, int64_t *changes);
/* Has a transaction begun, and is its end not in the spool yet? */
bool receiver_in_transaction(const struct receiver *r);

/* Somebody waits for boundary.lsn to reach lsn: it is brought there as soon as the source has sent
 * everything before it, instead of within 10 s on a quiet source. */
void receiver_want(struct receiver *r, lsn_t lsn);

#endif
