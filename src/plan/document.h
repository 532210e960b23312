/* JSON as people write it, with the place of every value.
 *
 * Comments and trailing commas are accepted, everything else is JSON to the letter (RFC 8259):
 * cJSON gives the tree, the places beside it let every later error name line and column. */
#ifndef PGC_PLAN_DOCUMENT_H
#define PGC_PLAN_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include "base/err.h"

#define DOCUMENT_MAX_DEPTH 32

struct place {
    const cJSON *item;             /* borrowed from the tree */
    unsigned key_line, key_column; /* of the key's opening quote; 0 where there is no key */
    unsigned line, column;         /* of the value; both count from 1, columns in characters */
};

struct document {
    cJSON *root;          /* owned; document_take() moves it */
    struct place *places; /* owned, sorted by item */
    size_t place_count;
};

#define DOCUMENT_INIT                                                                              \
    {                                                                                              \
        0                                                                                          \
    }

/* Reads len bytes of text. ERR_USAGE "origin:line:column: what is wrong"; document is empty then.
 */
bool document_parse(struct document *document, const char *text, size_t len, const char *origin,
                    struct err *err);
/* The tree, owned by the caller; the places stay valid as long as its items live. */
cJSON *document_take(struct document *document);
void document_release(struct document *document);

/* Where an item of the tree stands, or NULL for one that was not read from it. Borrowed. */
const struct place *document_place(const struct document *document, const cJSON *item);

/* Overwrites every string below item, then deletes it: a tree may hold passwords. NULL is fine. */
void document_wipe(cJSON *item);

#endif
