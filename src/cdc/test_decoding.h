/* The text of test_decoding, the output plugin that servers before 10 bring: pure functions from a line of
 * it to what it says (PostgreSQL 9.5 and 9.6, contrib/test_decoding/test_decoding.c), with the options
 * include-xids and include-timestamp.
 *
 * test_decoding_parse() works in place as decode_message() does: quotes are taken off where they stand and
 * a NUL is written behind each name, type and value. So the text must be writable, with one writable byte
 * behind its end, and everything in the result points into it (borrowed). */
#ifndef PGC_CDC_TEST_DECODING_H
#define PGC_CDC_TEST_DECODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cdc/decode.h"

struct text_column {
    char *name;
    char *type;         /* as format_type() without a modifier writes it in the session's search_path */
    struct value value; /* never VALUE_BINARY */
};

struct text_row {
    struct text_column *columns; /* owned, reused from line to line */
    size_t count;
    size_t cap;
};

enum text_kind { TEXT_BEGIN, TEXT_COMMIT, TEXT_INSERT, TEXT_UPDATE, TEXT_DELETE, TEXT_MESSAGE };

struct text_change {
    enum text_kind kind;
    uint32_t xid;      /* BEGIN, COMMIT */
    int64_t commit_us; /* COMMIT: microseconds since 1970 */

    char *schema;      /* INSERT, UPDATE, DELETE */
    char *table;
    /* DELETE, UPDATE: the columns of the key, or, under REPLICA IDENTITY FULL, all that are not null. */
    bool has_old;
    struct text_row old_row;
    /* INSERT, UPDATE: every column. False where the server knew none ("(no-tuple-data)"). */
    bool has_new;
    struct text_row new_row;
};

#define TEXT_CHANGE_INIT {0}

/* False with ERR_PROTOCOL when the line is not of the plugin's making. Never reads or writes outside
 * text[0..len]. A column "oid" of type oid in front of the others is the hidden one of WITH OIDS: it is
 * left out. */
bool test_decoding_parse(char *text, size_t len, struct text_change *change, struct err *err);

/* Releases the arrays. */
void text_change_release(struct text_change *change);

#endif
