/* Applying the stored objects to the target.
 *
 * Each object's statement commits together with its state in pgcutover.objects, so that a run which was
 * cut off at any instant goes on exactly where it was. What fails gets the state 'failed' with SQLSTATE
 * and message; what depends on it is left 'pending'; the rest is applied; then the function returns an
 * error that lists the failures (type, name, message, SQLSTATE, line of the statement). The next run
 * tries pending and failed objects again. A lost connection or a stop request ends a run at once and
 * marks nothing. The connections must be idle, outside a transaction. */
#ifndef PGC_SCHEMA_APPLY_H
#define PGC_SCHEMA_APPLY_H

#include <stdbool.h>

#include "base/err.h"
#include "pg/conn.h"

struct schema_progress {
    void (*report)(void *arg, int done, int total, const char *object);
    void *arg;
};

/* phase: "pre", "after" (the operator's own statements, with the settings that the role has), "index", "post" or "held". "index" is what the tables' own jobs leave: partitioned
 * tables' indexes and their attaching, those of materialized views. progress may be NULL. */
bool schema_apply_phase(struct conn *target, const char *phase,
                        const struct schema_progress *progress, struct err *err);

/* Indexes, keys and statistics objects of one loaded table (OID on the source, in pgcutover.tables);
 * then ANALYZE, then pgcutover.tables.indexed. */
bool schema_index_table(struct conn *target, const char *source_oid, struct err *err);

/* The same for several small tables in one transaction, all or none; on a refusal nothing is marked: then
 * each by itself. oids_array: "{1,2}". */
bool schema_index_tables(struct conn *target, const char *oids_array, struct err *err);

/* Builds one index of a table that nobody builds yet, or the index of a key, next to others who do the same;
 * success too when there is none. schema_index_table() does the rest afterwards. */
bool schema_build_index(struct conn *target, const char *source_oid, struct err *err);

/* How many foreign keys wait to be added or validated. */
bool schema_foreign_keys_count(struct conn *target, size_t *count, struct err *err);

/* Foreign keys: added NOT VALID on the first of the target's connections, then validated on all of them next to each
 * other, keys of large tables first, with a bounded wait for each lock; those that are not
 * valid on the source stay so; those from or to partitioned tables in one step, as pg_dump has them: NOT
 * VALID is refused from one, and VALIDATE leaves the parts of one that refers to one not valid.
 * One that is gone from the source is skipped. Rows without partner: SQLSTATE 23503, with the key. When it fails for another
 * reason, connections that were at work are closed. */
bool schema_foreign_keys(struct conn *source, struct conn *const *targets, size_t target_count,
                         const struct schema_progress *progress, struct err *err);

#endif
