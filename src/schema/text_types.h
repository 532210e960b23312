/* schema.enums "text": columns of enums, domains and types made of these are text until the cutover, and then what they were. */
#ifndef PGC_SCHEMA_TEXT_TYPES_H
#define PGC_SCHEMA_TEXT_TYPES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "pg/conn.h"

struct schema_text_way {
    /* Before a table is altered: back is the statements that bring it back. False ends it. */
    bool (*before)(void *arg, const char *table, const char *back, struct err *err);
    /* A column keeps its type, and why; in the end that the server refused a whole table. */
    void (*kept)(void *arg, const char *what, const char *why);
    void *arg;
};

/* Makes columns of the tables in pgcutover.tables text. source: what is made on the target later counts too, so that a column keeps
 * its type where something of the source's depends on it (NULL: the target has all). Each table is first altered, and
 * altered back, in a transaction that is rolled back; one that the server refuses keeps its types. An enum that keeps a column and
 * lacks labels of labels_of (the source, may be NULL) is ERR_PREREQUISITE, before anything is altered. May be run again. */
bool schema_types_to_text(struct conn *source, struct conn *labels_of, struct conn *target, const struct schema_text_way *way,
                          struct err *err);

/* Adds to enums of the target the labels that only those of the source have, where they stand there; what was added is appended to
 * added ("app.mood: 'glad'"), and enums whose labels are in another order to otherwise. For good: a label cannot be taken back. */
bool schema_labels_add(struct conn *source, struct conn *target, struct buf *added, struct buf *otherwise, struct err *err);

#endif
