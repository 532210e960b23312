/* What the schema step is going to run, as a script that can be read, and run by psql, before anything is. */
#ifndef PGC_SCHEMA_PREVIEW_H
#define PGC_SCHEMA_PREVIEW_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "schema/decisions.h"
#include "schema/dump.h"

/* Appends the statements of dump->source's schema in the order in which they are applied, a section for each phase with a
 * comment that says when; what is held back until the cutover comes last. psql -v ON_ERROR_STOP=1 takes it on an empty
 * database. Texts are as pg_dump has them: that a key is made in two steps is said, not shown. decisions (may be NULL):
 * edited texts stand instead, what is left out is a comment; ERR_USAGE where one names no object. On error script is unchanged. */
bool schema_preview(const struct schema_dump *dump, const struct schema_decisions *decisions, struct buf *script, struct err *err);

#endif
