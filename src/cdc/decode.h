/* pgoutput messages to change records: pure functions from bytes (PostgreSQL docs, "Logical
 * Replication Message Formats"), protocol version 1.
 *
 * decode_message() works in place: it writes a NUL after each column value and name, over bytes
 * that were already read. So the message must be writable, with one writable byte behind its end,
 * and everything in the change points into it (borrowed) and is good for libpq's text parameters. */
#ifndef PGC_CDC_DECODE_H
#define PGC_CDC_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pg/lsn.h"

enum value_kind { VALUE_NULL, VALUE_UNCHANGED, VALUE_TEXT, VALUE_BINARY };

struct value {
    enum value_kind kind;
    uint32_t len;
    char *data; /* borrowed; NUL behind it */
};

struct tuple {
    struct value *values; /* owned, reused from message to message */
    size_t count;
    size_t cap;
};

struct relation_column {
    bool key; /* part of the replica identity */
    char *name;
    uint32_t type_oid;
    int32_t typmod;
};

enum change_kind {
    CHANGE_BEGIN, CHANGE_COMMIT, CHANGE_ORIGIN, CHANGE_RELATION, CHANGE_TYPE, CHANGE_INSERT,
    CHANGE_UPDATE, CHANGE_DELETE, CHANGE_TRUNCATE, CHANGE_MESSAGE,
};

struct change {
    enum change_kind kind;

    lsn_t commit_lsn;     /* BEGIN (its final LSN), COMMIT: start of the commit record; MESSAGE: its LSN */
    lsn_t end_lsn;        /* COMMIT: end of the commit record */
    int64_t commit_us;    /* BEGIN, COMMIT: microseconds since 1970, source clock */
    uint32_t xid;         /* BEGIN */

    uint32_t relation;    /* RELATION, INSERT, UPDATE, DELETE: relation OID on the source */
    char *schema;         /* RELATION (pg_catalog is sent as "": given as "pg_catalog"), ORIGIN name in `name` */
    char *name;           /* RELATION; MESSAGE: prefix */
    char identity;        /* RELATION: d, n, f, i */
    struct relation_column *columns; /* RELATION; owned, reused */
    size_t column_count, column_cap;

    bool has_old;         /* UPDATE, DELETE: old_tuple is filled */
    bool old_is_key;      /* ... with the key columns only ('K'), others NULL; else all ('O') */
    struct tuple old_tuple;
    struct tuple new_tuple; /* INSERT, UPDATE */

    uint32_t *relations;  /* TRUNCATE; owned, reused */
    size_t relation_count, relation_cap;
    bool cascade, restart_identity;

    bool transactional;   /* MESSAGE */
    const char *content;  /* MESSAGE: borrowed */
    uint32_t content_len;
};

#define CHANGE_INIT {0}

/* Decodes one message of len bytes. False with ERR_PROTOCOL when it is malformed: truncated, bytes
 * left over, lengths that do not fit, an unknown kind. Never reads or writes outside data[0..len]. */
bool decode_message(char *data, size_t len, struct change *change, struct err *err);

/* Releases the arrays. */
void change_release(struct change *change);

#endif
