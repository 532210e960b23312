/* TRUNCATE is not in the stream of a server before 11. That it happened shows in the table's storage, which is
 * another one then; what it was when the table was loaded is kept in the state schema. */
#ifndef PGC_LOAD_STORAGE_H
#define PGC_LOAD_STORAGE_H

#include "pg/conn.h"

/* Are there changes that the stream of this server does not tell? */
bool storage_is_needed(const struct conn *source);
/* A loaded table has lost changes: it was truncated, rewritten or dropped, or UPDATE and DELETE do not name rows any more. oid is
 * the source's, why (borrowed) an ERR_CONFLICT. */
typedef void storage_lost(void *arg, const char *oid, const struct err *why);
/* Tells of every such table that is not stopped already. Looks at what is committed now. */
bool storage_look(struct conn *source, struct conn *target, storage_lost *lost, void *arg, struct err *err);
/* ERR_CONFLICT when there is one, with all of them in the detail. */
bool storage_check(struct conn *source, struct conn *target, struct err *err);

#endif
