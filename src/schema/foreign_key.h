/* Foreign keys: the phases "foreign-key" and "held-key". */
#ifndef PGC_SCHEMA_FOREIGN_KEY_H
#define PGC_SCHEMA_FOREIGN_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "pg/conn.h"
#include "schema/apply.h"

/* How many of a phase wait to be added or validated. */
bool schema_foreign_keys_count(struct conn *target, const char *phase, size_t *count, struct err *err);

/* Those of a phase: added NOT VALID on the first of the target's connections, then validated on all of them next to each
 * other, keys of large tables first, with a bounded wait for each lock; those that are not valid on the source, or were not on a
 * target whose schema somebody else made, stay so; those from or to partitioned tables in one step, as pg_dump has them: NOT
 * VALID is refused from one, and VALIDATE leaves the parts of one that refers to one not valid.
 * One that is gone from the source is skipped. Rows without partner: SQLSTATE 23503, with how many they are and the first. When it
 * fails for another reason, connections that were at work are closed. */
bool schema_foreign_keys(struct conn *source, struct conn *const *targets, size_t target_count, const char *phase,
                         const struct schema_progress *progress, struct err *err);

/* Appends a line for each key of the phase "held-key" that rows of the target do not fit: they would keep the target from being
 * opened. Reads the referencing tables; with the stream drained, else a row may be ahead of its partner. */
bool schema_orphans(struct conn *source, struct conn *target, struct buf *list, struct err *err);

#endif
