/* TRUNCATE is not in the stream of a server before 11. That it happened shows in the table's storage, which is
 * another one then; what it was when the table was loaded is kept in the state schema. */
#ifndef PGC_LOAD_STORAGE_H
#define PGC_LOAD_STORAGE_H

#include "pg/conn.h"

/* Are there changes that the stream of this server does not tell? */
bool storage_is_needed(const struct conn *source);
/* ERR_CONFLICT, with every such table in the detail, when a loaded table has lost changes: it was truncated,
 * rewritten or dropped, or UPDATE and DELETE do not name rows any more. Looks at what is committed now. */
bool storage_check(struct conn *source, struct conn *target, struct err *err);

#endif
