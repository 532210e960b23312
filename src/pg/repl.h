/* The streaming replication protocol (PostgreSQL docs, "Streaming Replication Protocol"), logical. */
#ifndef PGC_PG_REPL_H
#define PGC_PG_REPL_H

#include "pg/conn.h"
#include "pg/lsn.h"

struct repl_slot {
    char name[64];
    lsn_t consistent_lsn;  /* changes committed at or after it are streamed */
    char *snapshot;        /* owned; valid while the connection does nothing else */
};

/* The output plugin that the server is asked for: pgoutput, or test_decoding before 10. */
const char *repl_plugin(const struct conn *c);

/* CREATE_REPLICATION_SLOT name [TEMPORARY] LOGICAL plugin with an exported snapshot. Waits for every
 * transaction that writes on the server: bounded by c->timeout_ms. Before 10 no slot can be temporary. */
bool repl_create_slot(struct conn *c, const char *name, bool temporary, struct repl_slot *slot,
                      struct err *err);
void repl_slot_release(struct repl_slot *slot);

/* START_REPLICATION SLOT name LOGICAL from (proto_version '1', publication_names, from 14 messages 'true').
 * From 14, with streaming: proto_version '2', and large transactions are sent in parts before they commit.
 * Before 10: ("include-xids" 'true', "include-timestamp" 'true'). publications: already quoted list as "\"a\",\"b\"". */
bool repl_start(struct conn *c, const char *slot, lsn_t from, const char *publications,
                bool streaming, struct err *err);

enum repl_kind { REPL_NONE, REPL_DATA, REPL_KEEPALIVE, REPL_END };

struct repl_msg {
    enum repl_kind kind;
    lsn_t start_lsn;      /* DATA: WAL start of the message (0 for Relation and the like) */
    lsn_t end_lsn;        /* DATA and KEEPALIVE: the server's position */
    int64_t sent_us;      /* server clock, microseconds since 1970 */
    bool reply_requested; /* KEEPALIVE */
    const char *data;     /* DATA: payload; borrowed until the next call */
    int len;
    char *raw;            /* owned by the message: released by the next call or repl_msg_release() */
};

#define REPL_MSG_INIT {0}

/* The next message; REPL_NONE when none came within timeout_ms (0: do not wait). extra_fd: wakes the
 * wait too (-1 none). REPL_END when the server ended the stream in good order. */
bool repl_next(struct conn *c, struct repl_msg *msg, int timeout_ms, int extra_fd, struct err *err);
void repl_msg_release(struct repl_msg *msg);

/* Standby status update: tells the server that everything before these is written, flushed, applied.
 * Confirms flush_lsn for the slot: must be durable here. */
bool repl_feedback(struct conn *c, lsn_t write_lsn, lsn_t flush_lsn, lsn_t apply_lsn,
                   bool request_reply, struct err *err);

#endif
