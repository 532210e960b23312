/* A row as one text that is the same on every server whatever its version: pure functions from what is
 * known of the columns to SQL. */
#ifndef PGC_VERIFY_ROWTEXT_H
#define PGC_VERIFY_ROWTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* As read by verify_columns.sql. */
struct verify_column {
    char *name;    /* owned, as all strings */
    char *base;    /* built-in base type, "" for types that users made */
    char *element; /* built-in element type of an array, else "" */
    char *inside;  /* every built-in type inside it: "float8,text" */
    bool is_range;
};

enum rowtext_form {
    ROWTEXT_PLAIN,   /* the value's own text */
    ROWTEXT_DIGEST,  /* bytea: its md5, which needs no text of twice the size */
    ROWTEXT_SEND,    /* a type whose text changed between the versions: its binary form in hex */
    ROWTEXT_ARRAY,   /* an array of such */
    ROWTEXT_RANGE,   /* a range of such */
    ROWTEXT_NONE,    /* such a type inside something else: cannot be compared between these versions */
};

/* source_version, target_version: server_version_num of the two that will be compared. */
enum rowtext_form rowtext_form(const struct verify_column *column, int source_version,
                               int target_version);

/* Appends the expression of one column (form not NONE). */
void rowtext_add_column(struct buf *out, const struct verify_column *column, enum rowtext_form form);

/* Appends the expression of the whole row (NULL and '' differ, so do any two rows): forms has count
 * entries, those of NONE are left out. */
void rowtext_add(struct buf *out, const struct verify_column *columns, const enum rowtext_form *forms,
                 size_t count);

#endif
