/* The stream of a server before 10, made into that of a later one: the text of test_decoding goes in, pgoutput
 * messages of protocol 1 come out, so that spool and apply know one format.
 *
 * Where the positions come from (PostgreSQL 9.6: walsender.c, logical.c): the header of each message
 * carries one LSN, of BEGIN that of the transaction's first record, of a change that of its record, of COMMIT the
 * end of the commit record. The start of the commit record, which pgoutput gives in Begin and Commit, is not
 * said: one byte before its end stands for it. Between the start and the end of a record lies no
 * place where a stream or a snapshot begins, so every comparison with such a place comes out the same. As
 * Begin has to have it, a transaction is held back until its end has come (the server sends it only after it
 * has ended, in one go).
 *
 * Relation messages are made from the source's catalog, and compared with every row that comes: an INSERT or UPDATE
 * names all columns with their types. Where a line and the catalog differ, the catalog is read again; where they still
 * differ (the line is from before or after the change of another), the line is right.
 *
 * A publication is what is missing on such a server, so all tables come; those that are not picked are left out here.
 * TRUNCATE does not come at all: see load/storage.h. */
#ifndef PGC_CDC_TRANSLATE_H
#define PGC_CDC_TRANSLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "pg/conn.h"
#include "pg/lsn.h"
#include "pg/repl.h"

struct picked_table {
    uint32_t oid;
    const char *schema;
    const char *name;
};

struct translator_options {
    const struct conninfo *source;
    const char *dbname;
    const struct picked_table *tables; /* copied */
    size_t table_count;
    const char *dir;                   /* borrowed: where large transactions are kept meanwhile */
};

struct translator;

/* Connects to the source, for its catalog. NULL on error. */
struct translator *translator_new(const struct translator_options *options, struct err *err);
/* NULL is fine. What was held is forgotten: the source sends it again. */
void translator_free(struct translator *translator);

/* Takes a message of the server; only while translator_is_whole() is false. ERR_PROTOCOL when it is not of
 * test_decoding's making or out of order, ERR_IO; retryable when the disk is full. */
bool translator_take(struct translator *translator, const struct repl_msg *message, struct err *err);
/* Is a transaction complete, and has it more to give? */
bool translator_is_whole(const struct translator *translator);
/* Is anything of a transaction here that translator_next() has not given? */
bool translator_is_inside(const struct translator *translator);

struct translated {
    lsn_t lsn;        /* as in the header of the server's message */
    const char *data; /* borrowed until the next call */
    size_t len;
};

/* 1: the next message of a whole transaction; 0: none; -1: error. ERR_CONFLICT, not retryable, when
 * a change cannot be understood: its table has no replica identity any more, or another one. */
int translator_next(struct translator *translator, struct translated *out, struct err *err);

#endif
