/* What somebody decided on statements of the schema: other text, left out, or that what is refused does not stop it all. */
#ifndef PGC_SCHEMA_DECISIONS_H
#define PGC_SCHEMA_DECISIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "pg/conn.h"

struct schema_edit {
    const char *object; /* "TYPE schema.name", as messages and schema --script name it */
    const char *sql;    /* instead of its statement; NULL: it is left out */
};

struct schema_decisions {
    const struct schema_edit *edits; /* borrowed */
    size_t edit_count;
    const char *after_sql; /* the operator's own statements, before any data; NULL: none */
    bool skip_refused; /* what the target refuses is left out and reported, where nothing else needs it */
};

#define SCHEMA_AFTER_SQL "SQL schema.afterSchemaSql" /* how they are called */

/* Stores after_sql as an object of the phase "after"; one that is not applied yet gets the new text. */
bool schema_store_after_sql(struct conn *target, const struct schema_decisions *decisions, struct err *err);
/* Makes them those of the stored objects that are not applied yet; ones that were made before and are not among them are
 * taken back. May be run again. */
bool schema_decide(struct conn *target, const struct schema_decisions *decisions, struct err *err);
/* ERR_USAGE: an edit names no object, or its text could be that of several. */
bool schema_decisions_fit(struct conn *target, const struct schema_decisions *decisions, struct err *err);
/* How the statements stand, as JSON text (schema_statements.sql); owned. */
bool schema_statements(struct conn *target, char **json, struct err *err);

/* The edit of an object, or NULL; borrowed. name as in struct schema_edit. */
const struct schema_edit *schema_edit_of(const struct schema_decisions *decisions, const char *name);

#endif
