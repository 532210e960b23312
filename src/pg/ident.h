/* SQL identifiers and literals without a connection. Names are in the connection's encoding (UTF8
 * or the database's own); both quotings work on bytes, which is right for every server encoding. */
#ifndef PGC_PG_IDENT_H
#define PGC_PG_IDENT_H

#include <stdbool.h>

#include "base/buf.h"

/* Appends "name" with quotes always there and doubled inside: safe for every name. */
void ident_add(struct buf *out, const char *name);
/* Appends "schema"."name". */
void ident_add_qualified(struct buf *out, const char *schema, const char *name);
/* The same as an owned string. */
char *ident_qualified(const char *schema, const char *name);
/* For messages: schema.name, quoted only where SQL needs it. Owned. */
char *ident_display(const char *schema, const char *name);
/* Appends 'text', or E'te\\xt' when it holds a backslash: right whatever
 * standard_conforming_strings says. */
void literal_add(struct buf *out, const char *text);

/* Appends a value to the text of an array, "{" before the first one; the caller ends it with array_end(). */
void array_add(struct buf *out, const char *value);
/* "}", or "{}" when nothing was added; the whole text, borrowed. */
const char *array_end(struct buf *out);

/* Splits a possibly quoted, possibly qualified name as SQL does (unquoted parts fold to lower
 * case): a.b, "A b"."c.d". *schema is NULL when there is none. False when it is malformed. The
 * strings are owned by the caller. A `*` is an ordinary character here (patterns). */
bool ident_split(const char *text, char **schema, char **name);

#endif
