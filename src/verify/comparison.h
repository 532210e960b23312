/* What the files of verify/ share: two sides of one relation, and the text that is compared. */
#ifndef PGC_VERIFY_COMPARISON_H
#define PGC_VERIFY_COMPARISON_H

#include "verify/rowtext.h"
#include "verify/verify.h"

struct side {
    struct conn *c;
    const char *schema, *name;
    const char *only; /* text[] literal: these columns; NULL: all */
    char kind; /* pg_class.relkind; '\0': there is no such relation */
    bool populated;
    struct verify_column *columns; /* owned */
    size_t count;
    char *encoding; /* owned */
    char *probe;    /* owned: what this server's own hash makes of a known text; NULL: it has none (before 11) */
};

struct comparison {
    const struct verify_job *job;
    struct side from, to;
    enum rowtext_form *forms; /* owned, one a source column */
    struct verify_result *result;
};

/* In an exported snapshot or (NULL) one of its own, with what the text depends on set for its transaction. */
bool comparison_begin(struct conn *c, const char *snapshot, struct err *err);
bool side_read(struct side *side, struct err *err);
void side_release(struct side *side);
bool comparison_knows_source(struct comparison *cmp, struct err *err);
/* Chooses the forms; false with a note in the result where there is a difference without looking at rows. */
bool comparison_is_possible(struct comparison *cmp);
/* Do the encodings differ, so that the text goes through UTF8? */
bool comparison_converts(const struct comparison *cmp);

/* Appends the hash of one row, an int8: the server's own where both make the same of a text (its algorithm is kept for the sake
 * of hash partitions, but depends on the machine's byte order), else half of its md5, which costs twice as much. " FROM ... WHERE ..." of a side. */
void comparison_add_hash(const struct comparison *cmp, struct buf *sql);
void comparison_add_from(const struct side *side, const char *where, struct buf *sql);
/* Ends a statement whose rows are compared: a second one behind it looks, with the table locked by the first, whether the storage
 * that was read is the one of the snapshot. A table that was truncated or rewritten after it would seem empty. */
void comparison_add_storage(const struct side *side, struct buf *sql);

/* The rows of a statement that was sent with comparison_add_storage() at its end, read to the end; NULL on error: ERR_CONFLICT
 * when the storage is another one. */
PGresult *comparison_collect(const struct side *side, const char *sql, struct err *err);

/* Runs one statement on each side (comparison_add_storage() included), both at the same time; what the other side still sends
 * after an error is read away. rows: owned by the caller, whatever is returned. */
bool comparison_run_both(struct comparison *cmp, const char *from_sql, const char *to_sql, PGresult *rows[2],
                         struct err *err);

/* Sends a statement without waiting for it. */
bool comparison_send(struct conn *c, const char *sql, struct err *err);

#endif
