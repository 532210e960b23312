/* Tables that get another name on the target than the source's: in the moment it is opened.
 *
 * Until then everything that the schema's dump says of them (indexes, constraints, foreign keys, triggers,
 * policies, grants) is made under the names it says, and what depends on a table follows it. */
#ifndef PGC_SCHEMA_RENAME_H
#define PGC_SCHEMA_RENAME_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/conn.h"

/* Gives the tables of pgcutover.tables their final names, all or none; a schema that is missing is made and
 * belongs to the owner of a table in it. Does nothing where that is done. */
bool schema_rename_tables(struct conn *target, struct err *err);
/* Tries the same and rolls it back: while it can still be mended. Waits for its locks a moment at a time. */
bool schema_rename_rehearse(struct conn *target, struct err *err);

#endif
